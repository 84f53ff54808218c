/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands of `toklat store`, and what they share.
 */
#ifndef TOKLAT_STORE_H
#define TOKLAT_STORE_H

#include "tools/toklat/image.h"
#include "tools/toklat/store_read.h"

int store_create_command(int argc, char **argv);
int store_info_command(int argc, char **argv);
int store_list_command(int argc, char **argv);
int store_verify_command(int argc, char **argv);
int store_export_command(int argc, char **argv);
int store_import_command(int argc, char **argv);

/* Opens the store in a file, with `findings` as warnings on stderr. EXIT_CLEAN, or what to exit
 * with; nothing is left open then. */
int store_file_open(struct store *s, struct image_file *f, const char *path, bool write,
                    struct findings *findings);
void store_file_close(struct store *s, struct image_file *f);

/* What to say and exit with when store_open did not. */
int store_result_exit(const struct store *s, enum store_result result, const char *path);

/* Findings as warnings. */
void store_warn(struct findings *f, enum severity severity, const char *text);

/* UUID as text of 37 bytes. */
const char *uuid_text(const uint8_t *uuid, char *text);

/* A segment's live sectors, counted for all: an array of `segments`, to be freed; NULL: no memory.
 */
uint32_t *store_segments_live(const struct store *s);
/* A segment that holds nothing and is not to be written to next. */
bool store_segment_free(const struct store *s, const uint32_t *live, uint32_t segment);

#endif

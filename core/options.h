/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Boot arguments (/chosen/bootargs): words "name=value".
 */
#ifndef CORE_OPTIONS_H
#define CORE_OPTIONS_H

/* Applies each word; one that is not known, or whose value is not, is said and left out. */
void options_apply(const char *bootargs);

#endif

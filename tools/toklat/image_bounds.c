/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sectors of an image, whatever it is: nothing beyond its end is asked for.
 */
#include "tools/toklat/image.h"

bool image_read(struct image *im, uint64_t sector, void *to, uint32_t sectors)
{
    uint64_t all = im->bytes / STORE_SECTOR_BYTES;
    return sector <= all && sectors <= all - sector &&
           im->read(im, sector * STORE_SECTOR_BYTES, to, (size_t)sectors * STORE_SECTOR_BYTES);
}

bool image_write(struct image *im, uint64_t sector, const void *from, uint32_t sectors)
{
    uint64_t all = im->bytes / STORE_SECTOR_BYTES;
    return sector <= all && sectors <= all - sector &&
           im->write(im, sector * STORE_SECTOR_BYTES, from, (size_t)sectors * STORE_SECTOR_BYTES);
}

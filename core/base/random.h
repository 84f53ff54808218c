/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random bytes from one machine-wide key: ChaCha20 (RFC 8439), a stream for each (number, use).
 * Who does not know the key cannot tell one VM's bytes from another's, or from noise.
 */
#ifndef CORE_BASE_RANDOM_H
#define CORE_BASE_RANDOM_H

#include "core/base/types.h"

#define RANDOM_KEY_BYTES 32

/* Mixes `n` bytes into the machine's key; call at boot with all the entropy that there is. */
void random_add_entropy(const void *data, size_t n);

/* Fills `out` with up to 64 bytes of the stream (`nonce`, `counter`). */
void random_stream(uint64_t nonce, uint32_t counter, void *out, size_t n);

/* One RFC 8439 block; exposed for its test vectors. */
void chacha20_block(const uint32_t key[8], uint32_t counter, const uint32_t nonce[3],
                    uint8_t out[64]);

#endif

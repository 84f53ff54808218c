/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests of SD cards of standard capacity, of version 1.01 and of 2.00, on a host controller: the
 * same for each. Included after tests/unit/sd_test.h.
 */
#ifndef TESTS_UNIT_SD_STANDARD_TEST_H
#define TESTS_UNIT_SD_STANDARD_TEST_H

static int setup_standard(void **state)
{
    setup(state);
    fake_sd_make_standard(false);
    return 0;
}

static int setup_old(void **state)
{
    setup(state);
    fake_sd_make_standard(true);
    return 0;
}

static int setup_running_standard(void **state)
{
    setup_standard(state);
    assert_int_equal(probe(), OK);
    return 0;
}

static int setup_running_old(void **state)
{
    setup_old(state);
    assert_int_equal(probe(), OK);
    return 0;
}

static void assert_reads(uint64_t sector)
{
    assert_int_equal(do_one(BLOCK_READ, sector, 0, 1024), OK);
    assert_is_sector(memory, sector, 2);
}

static void test_standard_identify(void **state)
{
    (void)state;
    static const uint8_t expected[] = {0, 8, 55, 0x80 | 41, 55, 0x80 | 41, 55, 0x80 | 41, 2,
                                       3, 9, 7,  16,        55, 0x80 | 6,  6,  13};
    assert_int_equal(probe(), OK);
    assert_int_equal(fake_sd.commands, sizeof(expected));
    assert_memory_equal(fake_sd.log, expected, sizeof(expected));
    assert_int_equal(b->sectors, FAKE_SD_SECTORS);
    assert_false(b->read_only);
    assert_true(fake_sd.wide && fake_sd.fast);
    assert_string_equal(said, "");
    assert_reads(1);
    assert_in_range(fake_host.hz, 25000001, 50000000);
}

/* Neither CMD8 nor CMD6 has an answer, and ACMD41 does not speak of capacity. */
static void test_old_identify(void **state)
{
    (void)state;
    assert_int_equal(probe(), OK);
    assert_int_equal(b->sectors, FAKE_SD_SECTORS);
    assert_true(fake_sd.wide);
    assert_string_equal(said, "");
    assert_reads(1);
    assert_in_range(fake_host.hz, 400001, 25000000);
    assert_true(fake_host.wide);
}

/* A card of version 1.10 knows CMD6, and one of 2.00 need not. */
static void test_old_and_fast(void **state)
{
    (void)state;
    fake_sd.no_switch = false;
    assert_int_equal(probe(), OK);
    assert_true(fake_sd.fast);
    assert_reads(1);
    assert_in_range(fake_host.hz, 25000001, 50000000);
}

static void test_high_without_switch(void **state)
{
    (void)state;
    fake_sd.no_switch = true;
    assert_int_equal(probe(), OK);
    assert_reads(1);
    assert_in_range(fake_host.hz, 400001, 25000000);
}

/* Of each the last sector is read: its address is the highest. */
static void test_standard_capacity(void **state)
{
    static const struct {
        uint32_t read_bl_len, c_size_mult, c_size;
        uint64_t sectors;
    } csds[] = {
        {9, 0, 0, 4},
        {9, 7, 0, 512},
        {10, 3, 1234, 1235 * 32 * 2},
        {9, 7, 1023, 524288},     /* QEMU's, of 256 MiB */
        {9, 7, 4095, 2097152},    /* 1 GiB */
        {10, 7, 4095, 4194304},   /* 2 GiB, the most that the specification has */
        {11, 7, 4095, 8388608},   /* 4 GiB, the most that a CSD of version 1.0 can say */
        {11, 0, 4095, 4096 * 16}, /* 32 MiB */
    };
    for (unsigned i = 0; i < ARRAY_SIZE(csds); i++) {
        teardown(state);
        setup_standard(state);
        fake_sd.read_bl_len = csds[i].read_bl_len;
        fake_sd.c_size_mult = csds[i].c_size_mult;
        fake_sd.c_size = csds[i].c_size;
        assert_int_equal(probe(), OK);
        assert_int_equal(b->sectors, csds[i].sectors);
        assert_int_equal(do_one(BLOCK_READ, csds[i].sectors - 1, 0, 512), OK);
        assert_int_equal(fake_sd.sector, csds[i].sectors);
    }
}

static void test_standard_refused(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {0, 8, 12, 15};
    for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
        fake_sd.read_bl_len = lengths[i];
        assert_refused("READ_BL_LEN of the CSD is not 9 to 11: 0x");
    }
    fake_sd.read_bl_len = 9;
    for (fake_sd.csd_version = 1; fake_sd.csd_version < 4; fake_sd.csd_version++) {
        assert_refused("CSD_STRUCTURE is not as CCS of the OCR: 0x");
    }
    fake_sd_init();
    fake_sd.csd_version = 0;
    assert_refused("CSD_STRUCTURE is not as CCS of the OCR: 0x0");
    fake_sd_make_standard(false);
    fake_sd.no_length = true;
    assert_int_equal(probe(), ERR_IO);
    fake_sd.no_length = false;
    assert_int_equal(probe(), OK);
}

/* Its blocks have 512 bytes, whatever they had. */
static void test_standard_block_length(void **state)
{
    (void)state;
    fake_sd.read_bl_len = 10;
    fake_sd.c_size_mult = 1;
    assert_int_equal(probe(), OK);
    assert_int_equal(b->sectors, FAKE_SD_SECTORS);
    assert_int_equal(fake_sd.block_bytes, 512);
    assert_reads(77);
}

static void test_standard_falls_silent(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 17; i++) {
        fake_sd_init();
        fake_sd_make_standard(false);
        host_init();
        fake_sd.mute_after = i;
        assert_int_not_equal(probe(), OK);
        assert_null(b);
    }
}

/* A partition of it: all that is written is there, and nothing beside it. */
static void test_standard_part(void **state)
{
    (void)state;
    uint8_t *before = malloc(sizeof(fake_sd.disk));
    memcpy(before, fake_sd.disk, sizeof(fake_sd.disk));
    b->first = 4000;
    b->sectors = 600;
    assert_int_equal(do_one(BLOCK_WRITE, 599, 0, 512), OK);
    assert_int_equal(do_one(BLOCK_WRITE, 0, 512, 300 * 512), OK);
    memcpy(before + (4000 + 599) * 512, memory, 512);
    memcpy(before + 4000 * 512, memory + 512, 300 * 512);
    assert_memory_equal(before, fake_sd.disk, sizeof(fake_sd.disk));
    free(before);
}

#define ON_STANDARD(f)                                                                             \
    {                                                                                              \
        "standard: " #f, f, setup_running_standard, teardown, NULL                                 \
    }
#define ON_OLD(f)                                                                                  \
    {                                                                                              \
        "version 1.01: " #f, f, setup_running_old, teardown, NULL                                  \
    }
#define STANDARD(f) cmocka_unit_test_setup_teardown(f, setup_standard, teardown)
#define OLD(f) cmocka_unit_test_setup_teardown(f, setup_old, teardown)

#define SD_STANDARD_TESTS                                                                          \
    STANDARD(test_standard_identify), OLD(test_old_identify), OLD(test_old_and_fast),              \
        ONLY_FAKES(test_high_without_switch), STANDARD(test_standard_capacity),                    \
        STANDARD(test_standard_refused), STANDARD(test_standard_block_length),                     \
        STANDARD(test_standard_falls_silent), ON_STANDARD(test_standard_part),                     \
        ON_OLD(test_standard_part), ON_STANDARD(test_read_and_write), ON_OLD(test_read_and_write), \
        ON_STANDARD(test_pieces), ON_STANDARD(test_whole_pieces), ON_STANDARD(test_end_of_card),   \
        ON_STANDARD(test_tried_again), ON_OLD(test_tried_again), ON_STANDARD(test_others_go_on),   \
        ON_STANDARD(test_host_forgets), ON_STANDARD(test_part_of_card)

#endif

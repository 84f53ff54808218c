/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The dashboard, packed by gzip; guests.mk says where it is.
 */
    .section .rodata.page, "a"
    .global page_data
    .global page_data_end
page_data:
    .incbin "dashboard.html.gz"
page_data_end:

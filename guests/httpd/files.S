/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The static files, as struct site_file (site.h): an entry for each, an empty one at the end.
 */
    .macro file path, type, source
    .section .rodata.site_text, "a"
path_\@:
    .asciz "\path"
type_\@:
    .asciz "\type"
data_\@:
    .incbin "guests/httpd/files/\source"
data_end_\@:
    .section .rodata.site_files, "a"
    .quad path_\@, type_\@, data_\@, data_end_\@ - data_\@
    .endm

    .section .rodata.site_files, "a"
    .balign 8
    .global site_files
site_files:
    file "/style.css", "text/css; charset=utf-8", style.css
    file "/toklat.svg", "image/svg+xml", toklat.svg
    file "/about.html", "text/html; charset=utf-8", about.html
    .quad 0, 0, 0, 0

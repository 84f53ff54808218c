/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Uploads: what arrives goes straight to EL2 (IMAGE_BEGIN, IMAGE_WRITE), which checks the whole
 * and makes a group of it (IMAGE_LOAD).
 */
#include "guests/supervisor/upload.h"

#include "guests/supervisor/steps.h"

static bool in_use;

static bool check(struct exchange *x)
{
    const struct toklat_load *load = &x->request.load;
    struct problem *p = &x->problem;
    if (in_use) {
        problem_plain(p, 503, "another image is being uploaded");
        p->retry_s = 1;
        return false;
    }
    if (groups_find(text_of(load->name)) >= 0) {
        return problem_field(p, 409, "name", text_of(load->name), "unlike any image's");
    }
    if (load->reserve > groups.machine.spare_vms) {
        return problem_number(p, 409, "reserve", load->reserve,
                              "at most %u, the numbers of VMs that are left",
                              groups.machine.spare_vms);
    }
    if (x->body_left == 0) {
        return problem_number(p, 422, "Content-Length", 0, "an ELF file");
    }
    return true;
}

void upload_begin(struct exchange *x)
{
    if (!check(x)) {
        return;
    }
    int64_t result = control_simple(TOKLAT_IMAGE_BEGIN, x->body_left, 0, 0);
    if (result < 0) {
        problem_plain(&x->problem, 503, "no memory for %lu bytes of image now; EL2 answers %d",
                      (unsigned long)x->body_left, (int)result);
        x->problem.retry_s = 1;
        return;
    }
    in_use = true;
    x->holds_upload = true;
}

size_t upload_take(struct exchange *x, const char *data, size_t length)
{
    int64_t result = control_simple(TOKLAT_IMAGE_WRITE, (uintptr_t)data, length, 0);
    int64_t taken = result - (int64_t)x->taken;
    if (result < 0 || taken <= 0 || (uint64_t)taken > length) {
        problem_plain(&x->problem, 503, "the image's memory is gone; EL2 answers %d", (int)result);
        x->problem.retry_s = 1;
        return length;
    }
    x->taken += (uint32_t)taken;
    return (size_t)taken;
}

void upload_leave(struct exchange *x)
{
    if (x->holds_upload) {
        (void)control_simple(TOKLAT_IMAGE_BEGIN, 0, 0, 0); /* EL2 forgets what came so far */
        x->holds_upload = false;
        in_use = false;
    }
}

static void refused(struct exchange *x, int64_t result, const struct toklat_load *load)
{
    if (load->problem[0] != '\0') {
        problem_from_text(&x->problem, 422, load->problem, sizeof(load->problem));
    } else if (result == TOKLAT_E_NO_MEMORY) {
        problem_plain(&x->problem, 503, "no memory for this image now");
        x->problem.retry_s = 1;
    } else {
        problem_plain(&x->problem, 422, "EL2 does not take this image: %d", (int)result);
    }
}

enum step step_image_load(struct exchange *x, struct out *out)
{
    static struct toklat_load load __attribute__((aligned(8)));
    load = x->request.load;
    int64_t result = control_simple(TOKLAT_IMAGE_LOAD, (uintptr_t)&load, 0, 0);
    if (result == TOKLAT_E_BUSY) {
        return judge(x, result, 0);
    }
    if (result < 0) {
        refused(x, result, &load);
        return STEP_DONE;
    }
    groups_read();
    if (!groups_exists((uint32_t)result)) {
        problem_plain(&x->problem, 500, "the image's group is not there");
        return STEP_DONE;
    }
    image_write(out, (uint32_t)result);
    out_char(out, '\n');
    return STEP_DONE;
}

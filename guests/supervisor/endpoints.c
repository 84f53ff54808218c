/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of endpoints.
 */
#include "guests/supervisor/endpoints.h"

#define JSON "application/json"
#define TEXT "text/plain; charset=utf-8"
#define HTML "text/html; charset=utf-8"

#define ANSWERS(by, as, with) .step = (by), .type = (as), .status = (with)
#define TAKES_JSON .body = BODY_JSON, .body_type = JSON, .body_max = API_BODY_MAX
#define MAY_TAKE_JSON .body = BODY_OPTIONAL, .body_type = JSON, .body_max = API_BODY_MAX

static const struct endpoint_info infos[API_ENDPOINTS + 1] = {
    [API_DASHBOARD] = {ANSWERS(step_page, HTML, 200), .open = true},
    [API_HEALTH] = {ANSWERS(step_health, JSON, 200), .open = true},
    [API_VERSION] = {ANSWERS(step_version, JSON, 200)},
    [API_MACHINE] = {ANSWERS(step_machine, JSON, 200)},
    [API_IMAGES] = {ANSWERS(step_images, JSON, 200)},
    [API_IMAGE_UPLOAD] = {ANSWERS(step_image_load, JSON, 201), .body = BODY_IMAGE, .finishes = true,
                          .body_type = "application/octet-stream",
                          .body_max = TOKLAT_IMAGE_BYTES_MAX},
    [API_IMAGE] = {ANSWERS(step_image, JSON, 200)},
    [API_IMAGE_PATCH] = {ANSWERS(step_image_patch, JSON, 200), TAKES_JSON},
    [API_IMAGE_DELETE] = {ANSWERS(step_image_delete, JSON, 204), .finishes = true},
    [API_VMS] = {ANSWERS(step_list, JSON, 200)},
    [API_VMS_CREATE] = {ANSWERS(step_create, JSON, 201), .finishes = true, TAKES_JSON},
    [API_VMS_DELETE] = {ANSWERS(step_delete_ranges, JSON, 200), .finishes = true},
    [API_VM] = {ANSWERS(step_vm, JSON, 200)},
    [API_VM_DELETE] = {ANSWERS(step_vm_delete, JSON, 204), .finishes = true},
    [API_VM_START] = {ANSWERS(step_change, JSON, 200), MAY_TAKE_JSON},
    [API_VM_PAUSE] = {ANSWERS(step_change, JSON, 200), MAY_TAKE_JSON},
    [API_VM_RESUME] = {ANSWERS(step_change, JSON, 200), MAY_TAKE_JSON},
    [API_VM_RESTART] = {ANSWERS(step_change, JSON, 200), MAY_TAKE_JSON},
    [API_VM_CHECKPOINT] = {ANSWERS(step_checkpoint, JSON, 200), MAY_TAKE_JSON},
    [API_VM_CLONE] = {ANSWERS(step_clone, JSON, 201), .finishes = true, MAY_TAKE_JSON},
    [API_CONSOLE] = {ANSWERS(step_console, TEXT, 200)},
    [API_CONSOLE_WRITE] = {ANSWERS(step_console_write, JSON, 200), .body = BODY_TEXT,
                           .body_type = "text/plain", .body_max = API_CONSOLE_MAX},
    [API_FOOTPRINT] = {ANSWERS(step_footprint, JSON, 200)},
    [API_MAP] = {ANSWERS(step_map, JSON, 200)},
    [API_HISTOGRAM] = {ANSWERS(step_histogram, JSON, 200)},
    [API_EVENTS] = {ANSWERS(step_events, "text/event-stream", 200)},
    [API_METRICS] = {ANSWERS(step_metrics, METRICS_TYPE, 200)},
    [API_ENDPOINTS] = {ANSWERS(NULL, JSON, 500)},
};

const struct endpoint_info *endpoint_of(const struct exchange *x)
{
    return &infos[x->request.endpoint];
}

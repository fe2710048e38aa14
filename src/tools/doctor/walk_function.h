/* walk_function.h: steps that look at the function once its mapping and configuration are known. */
#ifndef TOOLS_DOCTOR_WALK_FUNCTION_H
#define TOOLS_DOCTOR_WALK_FUNCTION_H

#include <jansson.h>

#include "tools/doctor/walk.h"

/* Reserved concurrency against the mapping's maximum. */
void walk_concurrency(struct walk *w, const struct walk_queue *q, struct view name,
                      const json_t *mapping);

/* Retention of the function's log group; `config` as GetFunctionConfiguration answers. */
void walk_log_group(struct walk *w, const struct walk_queue *q, struct view name,
                    const json_t *config);

#endif

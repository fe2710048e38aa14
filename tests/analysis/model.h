/*
 * model.h: what analysers that see one file at a time are told; read before each file of src/.
 *
 * error_set() returns the status it is given, and not ST_OK after a failure.
 */
#ifndef TESTS_ANALYSIS_MODEL_H
#define TESTS_ANALYSIS_MODEL_H

#include "base/status.h"

#define error_set(err, st, ...) ((void)error_set(err, st, __VA_ARGS__), (st))

#endif

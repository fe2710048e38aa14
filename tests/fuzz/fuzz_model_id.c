/*
 * fuzz_model_id.c: any bytes as a modelId, an identity ARN, an object's key, a timestamp and a list
 * of dimensions.  Views must stay inside of what they were cut from, and no value be empty.
 */
#include <stdlib.h>

#include "aggregate/dimension.h"
#include "objects/object_key.h"
#include "records/model_id.h"
#include "records/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_inside(struct view part, struct view whole)
{
    check(part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view text = view_make(data, size);
    struct dimension_keys keys = {.metadata_count = 0};
    struct dimension_set set;
    struct error err = {.text = ""};
    struct model_class class;
    struct instant time;
    char principal[SCAN_MAX_VALUE];
    if (size > SCAN_MAX_VALUE)
        return 0;
    check(object_key_skip(text) < OBJECT_MISSING);
    struct view who = record_principal(text, principal, sizeof(principal));
    check(who.len > 0 && who.len <= sizeof(principal));
    if (rfc3339_parse(text, &time) == ST_OK) {
        char again[RFC3339_BYTES];
        struct instant back;
        rfc3339_format(time.seconds, again);
        check(time.nanos < 1000000000);
        check(rfc3339_parse(view_of(again), &back) == ST_OK && back.seconds == time.seconds);
    }
    enum status st = dimension_set_parse(text, &keys, &set, &err);
    check(st == ST_OK ? set.count > 0 : st == ST_USAGE && err.text[0] != '\0');
    if (size == 0)
        return 0;
    model_id_classify(text, &class);
    check(class.model.len > 0);
    check_inside(class.model, text);
    check_inside(class.profile, text);
    check_inside(class.geography, text);
    check(class.type != PROFILE_GLOBAL || view_eq_cstr(class.geography, "global"));
    check(!class.needs_evidence || class.type == PROFILE_UNKNOWN);
    check(view_starts(class.profile, class.geography));
    /* The canonical id is the same profile as its ARN; "us." alone names no model. */
    if (class.geography.len > 0 && class.model.len < size && !view_starts(text, VIEW_LIT("arn:"))) {
        static const char arn[] = "arn:aws:bedrock:us-east-1:1:inference-profile/";
        struct model_class by_arn;
        char *whole = malloc(sizeof(arn) - 1 + size);
        check(whole != NULL);
        memcpy(whole, arn, sizeof(arn) - 1);
        memcpy(whole + sizeof(arn) - 1, data, size);
        model_id_classify(view_make(whole, sizeof(arn) - 1 + size), &by_arn);
        check(by_arn.type == class.type && view_eq(by_arn.model, class.model) &&
              view_eq(by_arn.profile, class.profile));
        free(whole);
    }
    return 0;
}

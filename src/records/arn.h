/* arn.h: Amazon Resource Names, as far as records need them. */
#ifndef RECORDS_ARN_H
#define RECORDS_ARN_H

#include "base/view.h"

/*
 * The resource part of an ARN of any AWS partition (arn:aws[-a-z]*:): what is behind the fifth
 * colon, may be empty.  Service, Region and account may be anything.  false: the text is no such
 * ARN.
 */
bool arn_resource(struct view arn, struct view *resource);

#endif

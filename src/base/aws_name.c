/*
 * aws_name.c: hostile names stop here.  Neither a slash nor a dot in a wrong place gets into a host
 * name, so a name from an event cannot send a signed request to somebody else's server.
 */
#include "base/aws_name.h"

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool aws_bucket_valid(struct view bucket)
{
    size_t dots = 0, digits = 0;
    if (bucket.len < 3 || bucket.len > 63)
        return false;
    char before = '.'; /* as after a dot: neither `.` nor `-` may come first */
    for (size_t i = 0; i < bucket.len; i++) {
        char c = bucket.ptr[i];
        bool fits = is_lower_or_digit(c) || (c == '-' && before != '.') ||
                    (c == '.' && is_lower_or_digit(before));
        if (!fits)
            return false;
        dots += c == '.';
        digits += c >= '0' && c <= '9';
        before = c;
    }
    return is_lower_or_digit(before) && !(dots == 3 && dots + digits == bucket.len);
}

bool aws_region_valid(struct view region)
{
    unsigned hyphens = 0;
    if (region.len < 4 || region.len > 32 || region.ptr[0] < 'a' || region.ptr[0] > 'z')
        return false;
    for (size_t i = 0; i < region.len; i++) {
        char c = region.ptr[i];
        if (c == '-' && (i + 1 == region.len || region.ptr[i - 1] == '-'))
            return false;
        if (c != '-' && !is_lower_or_digit(c))
            return false;
        hyphens += c == '-';
    }
    return hyphens >= 2;
}

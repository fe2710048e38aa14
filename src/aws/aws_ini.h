/*
 * aws_ini.h: the shared config and credentials files ("~/.aws/config", "~/.aws/credentials").
 *
 * Facts: AWS SDK and tools reference guide, "Shared config and credentials files".  Sections
 * [default], [profile x] (config), [x] (credentials), [services x], [sso-session x]; `key = value`,
 * comments with # or ;, nested blocks by indentation under an empty value.  Values of the
 * credentials file win over those of the config file.  Holds secrets: wiped when freed.
 */
#ifndef AWS_AWS_INI_H
#define AWS_AWS_INI_H

#include "base/buf.h"

struct aws_ini;

enum { AWS_INI_MAX_BYTES = 1024 * 1024, AWS_INI_MAX_ENTRIES = 20000 };

enum aws_ini_kind { AWS_INI_CONFIG, AWS_INI_CREDENTIALS };

/* An empty set of entries, to be freed with aws_ini_free().  ST_NO_MEMORY. */
NODISCARD enum status aws_ini_new(struct aws_ini **out);
/* Wipes what it holds.  NULL does nothing. */
void aws_ini_free(struct aws_ini *ini);

/* Add the content of one file; later files win.  ST_USAGE: malformed, err->offset is the line. */
NODISCARD enum status aws_ini_add(struct aws_ini *ini, enum aws_ini_kind kind, struct view text,
                                  struct error *err);

/* The same from disk; a file that is not there adds nothing, a credentials file open to others is
 * warned about.  ST_IO, ST_TOO_BIG. */
NODISCARD enum status aws_ini_add_file(struct aws_ini *ini, enum aws_ini_kind kind,
                                       const char *path, struct error *err);

/* Whether either file has a section for the profile, even an empty one. */
bool aws_ini_has_profile(const struct aws_ini *ini, struct view profile);

/* A profile's value, VIEW_EMPTY when absent; lives as long as the ini. */
struct view aws_ini_get(const struct aws_ini *ini, struct view profile, const char *key);

/* A nested value of a [services x] section: ("x", "s3", "endpoint_url"). */
struct view aws_ini_get_service(const struct aws_ini *ini, struct view section, const char *service,
                                const char *key);

#endif

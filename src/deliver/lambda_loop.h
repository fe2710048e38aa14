/*
 * lambda_loop.h: the program as a Lambda function: one invocation after another until the end.
 *
 * A queue's event is answered with the messages that failed (ReportBatchItemFailures); an event
 * that came without a queue succeeds or fails as a whole.
 */
#ifndef DELIVER_LAMBDA_LOOP_H
#define DELIVER_LAMBDA_LOOP_H

#include "aws/lambda_api.h"
#include "config/settings.h"
#include "events/event_direct.h"

/*
 * What {"command": ...} invocations do; NULL: refused.  ST_OK: *answer holds a JSON text; else *err
 * says why the invocation fails.
 */
typedef enum status lambda_command_fn(void *context, const struct event_direct *command,
                                      struct run_settings *settings, const struct settings_aws *aws,
                                      int64_t deadline_ms, struct buf *answer, struct error *err);

struct lambda_options {
    struct view runtime_api; /* AWS_LAMBDA_RUNTIME_API */
    lambda_command_fn *command;
    void *command_context;
    const struct error *fault; /* settings were found wrong before; NULL: not so far */
};

/*
 * LOG_LEVEL, AWS_LAMBDA_LOG_LEVEL and AWS_LAMBDA_LOG_FORMAT; the stricter level holds.  ST_USAGE: one
 * of them is none; then its default is set up.
 */
NODISCARD enum status lambda_log_setup(struct error *err);

/*
 * Until SIGTERM.  ST_OK: asked to stop.  Settings that cannot be used, those of `fault` too, are
 * reported to Lambda as an init error.  Otherwise *err says why the process has to end.
 */
NODISCARD enum status lambda_run(const struct lambda_options *options, struct error *err);

#endif

/* receipt_file.c: `--receipt FILE|-`, opened before any work and written at its end. */
#include "cli/receipt_file.h"

#include "base/stop.h"

#include <string.h>

#include "base/log.h"
#include "base/stop.h"
#include "ledger/ledger_id.h"

enum { MAX_TEXT = 64 * 1024 };

enum status receipt_file_open(struct receipt_file *r, bool stdout_taken, struct error *err)
{
    struct error detail = {0};
    if (r->path == NULL)
        return ST_OK;
    if (stdout_taken && strcmp(r->path, "-") == 0)
        return error_set(err, ST_USAGE, E_U108,
                         "--receipt - : the result is on standard output already; name a file");
    enum status st = ledger_identity_load(&r->identity, err);
    if (st != ST_OK)
        return st;
    stop_catch_signals(STOP_AT_ONCE); /* until the command begins its work */
    if (out_file_open(&r->file, r->path, &detail) != ST_OK)
        return error_set(err, ST_USAGE, detail.code, "--receipt %s", detail.text);
    return ST_OK;
}

bool receipt_file_write(struct receipt_file *r, const struct run_receipt *receipt,
                        const struct run_receipt_about *about)
{
    struct buf text;
    struct error err = {0};
    struct run_receipt_about full = *about;
    if (r->path == NULL)
        return true;
    full.identity = r->identity;
    buf_init(&text, MAX_TEXT);
    run_receipt_add_json(&text, receipt, &full);
    enum status st = buf_status(&text);
    if (st == ST_OK)
        (void)fwrite(text.ptr, 1, text.len, r->file.file); /* a failure shows when it is closed */
    if (st == ST_OK)
        st = out_file_close(&r->file, &err);
    else
        out_file_abandon(&r->file);
    r->path = NULL;
    buf_clear(&text);
    if (st != ST_OK)
        LOG_FAULT(LOG_ERROR, E_R110, "receipt cannot be written",
                  log_cstr("reason", err.text[0] != '\0' ? err.text : status_name(st)));
    return st == ST_OK;
}

void receipt_file_abandon(struct receipt_file *r)
{
    if (r->path != NULL && r->file.file != NULL)
        out_file_abandon(&r->file);
    r->path = NULL;
}

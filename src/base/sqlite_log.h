/*
 * sqlite_log.h: where the last commit in a write-ahead log of SQLite ends, remembered outside of it.
 *
 * SQLite ends the log at the first frame that does not hold, as if what follows had never reached
 * the disk.  After a loss of power that is right; after a wrong bit it loses commits, or brings
 * pages back that the file had in a newer version.  FILE-lock says how far the log must go.  Of
 * sqlite_seal.c only.
 *
 *   log:   header (32: 24 and their sum)  frame 0  frame 1 ...
 *   frame: page, pages of the file or 0 (no commit), salt (8), sum (8), page
 *
 * A sum goes on from the one before over the first 8 bytes of the frame and its page.
 */
#ifndef BASE_SQLITE_LOG_H
#define BASE_SQLITE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { LOG_HEADER = 32, FRAME_HEADER = 24, MIN_PAGE = 512, MAX_PAGE = 65536, SEAL_BYTES = 8 };

/* ---- sums ---- */

struct sum {
    uint32_t a, b;
};

static inline uint32_t be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The sum of SQLite's log, in the order of bytes that the machine had which began the log. */
static inline struct sum add_sum(struct sum s, const unsigned char *p, size_t n, bool big_endian)
{
    for (size_t i = 0; i + 8 <= n; i += 8) {
        uint32_t x[2];
        memcpy(x, p + i, sizeof(x));
        if (big_endian != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)) {
            x[0] = __builtin_bswap32(x[0]);
            x[1] = __builtin_bswap32(x[1]);
        }
        s.a += x[0] + s.b;
        s.b += x[1] + s.a;
    }
    return s;
}

static inline bool same_sum(struct sum a, struct sum b)
{
    return a.a == b.a && a.b == b.b;
}

static inline struct sum stored_sum(const unsigned char *p)
{
    return (struct sum){be32(p), be32(p + 4)};
}

/* Whether a log with this header was begun by such a machine. */
static inline bool is_big_endian(const unsigned char *header)
{
    return (be32(header) & 1) != 0;
}

/* ---- the end ---- */

/* Where the log's last commit ends, as it is in FILE-lock: in the order of the machine. */
struct log_end {
    uint32_t magic;
    uint32_t frames; /* up to it */
    uint32_t salt[2];
    struct sum sum;      /* of the last frame */
    uint32_t page;       /* that it holds */
    uint32_t page_bytes; /* its length */
    struct sum page_sum; /* of all but the seal */
    struct sum self;     /* of the above */
};

/*
 * Remember the end of the log named "FILE-wal" (NULL: there is none any more).  Without a sync:
 * after a loss of power an earlier one may be there, which promises less; but before the log goes
 * away its end must be gone for certain.  Nothing here can fail a commit.
 */
void sqlite_log_keep_end(const char *log_path, struct log_end *end);

#endif

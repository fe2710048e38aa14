/*
 * xml_scan.h: the texts of an XML answer, one after another, with the path of their element.
 *
 * Only what the XML of S3, STS and their errors needs: elements, text, the five named entities and
 * numeric ones, CDATA; attributes, comments, processing instructions and the XML declaration are
 * stepped over.  A DOCTYPE is refused, so there are no entities of one's own.  Not recursive; names
 * are compared as written (prefixes included).  A scanner is used by one thread.
 */
#ifndef AWS_XML_SCAN_H
#define AWS_XML_SCAN_H

#include "base/buf.h"

enum { XML_MAX_DEPTH = 16, XML_MAX_PATH = 512, XML_MAX_TEXT = 64 * 1024 };

enum xml_kind { XML_OPEN, XML_CLOSE, XML_TEXT };

struct xml_scan {
    struct view rest;        /* not read yet */
    size_t length;           /* of the whole input */
    char path[XML_MAX_PATH]; /* "ListBucketResult/Contents/Key" */
    size_t path_len;
    size_t ends[XML_MAX_DEPTH]; /* path_len before each open element */
    unsigned depth;
    bool pending_close; /* an empty element <a/> was opened */
    bool pop_pending;   /* the element just closed is still in the path */
    bool leaf;          /* the innermost open element holds no other so far */
    bool closing;       /* its text was given, XML_CLOSE is next */
    bool seen_root;
    struct buf text; /* decoded */
};

/* Begin on `xml`, which must stay in place. */
void xml_scan_init(struct xml_scan *x, struct view xml);
void xml_scan_clear(struct xml_scan *x);

/*
 * The next event.  XML_OPEN: an element began, it is the last of xml_scan_path().  XML_TEXT: its
 * text is whole in xml_scan_text() (given just before XML_CLOSE, for elements that hold no other
 * element; may be empty).  XML_CLOSE: it ended and is still the last of the path. ST_END: the
 * document is complete.  ST_BAD_ITEM: not well formed, or cut; ST_TOO_BIG: a ceiling above.
 * err->offset says where.
 */
NODISCARD enum status xml_scan_next(struct xml_scan *x, enum xml_kind *kind, struct error *err);

/*
 * The element the last event was about, "ListBucketResult/Contents/Key".  A view into the scanner.
 */
struct view xml_scan_path(const struct xml_scan *x);
/* Its text, after XML_TEXT.  A view into the scanner, valid until the next event. */
struct view xml_scan_text(const struct xml_scan *x);
/* Whether that element is at this path. */
bool xml_scan_at(const struct xml_scan *x, const char *path);

/*
 * The text of the first element at `path`, decoded and appended to *out.  ST_MISSING when there is
 * none (or the document is broken before it).
 */
NODISCARD enum status xml_scan_find(struct view xml, const char *path, struct buf *out);

#endif

#include "base/codes.h"

#include <string.h>

enum kind {
    LINE,     /* a log line */
    BY_CAUSE, /* a log line whose code is that of its reason, where that is known */
    WORD,     /* the whole of a reason */
    PHRASE,   /* somewhere in a reason */
    OUTSIDE,  /* the same, and the words are those of AWS, libcurl or the system */
    OTHER,    /* any other usage error */
};

/*
 * In a reason the first row that is in it wins, so what is said about a setting comes before what
 * AWS answers, and that before what the system says.  A phrase is as long as it is constant; short
 * ones come last.
 */
static const struct {
    const char *code;
    enum kind kind;
    const char *text;
} rows[] = {
    /* O: objects */
    {"BM-O100", BY_CAUSE, "object failed"},
    {"BM-O101", PHRASE, "truncated gzip member"},
    {"BM-O101", PHRASE, "truncated gzip header"},
    {"BM-O102", PHRASE, "gzip checksum or length does not match"},
    {"BM-O102", PHRASE, "gzip header checksum does not match"},
    {"BM-O103", PHRASE, "invalid deflate data"},
    {"BM-O104", PHRASE, "data behind the last gzip member"},
    {"BM-O105", PHRASE, "unknown gzip compression method"},
    {"BM-O105", PHRASE, "reserved gzip flags"},
    {"BM-O105", PHRASE, "invalid gzip header"},
    {"BM-O106", PHRASE, "more than MAX_OBJECT_BYTES"},
    {"BM-O107", PHRASE, "is no regular file any more"},
    {"BM-O108", PHRASE, "GetObject: answered without an ETag"},
    {"BM-O108", PHRASE, "GetObject: the answer is not the range asked for"},
    {"BM-O108", PHRASE, "GetObject: answer without a usable Content-Length"},
    {"BM-O108", PHRASE, "GetObject: more bytes than Content-Length said"},
    {"BM-O109", PHRASE, "GetObject: cut after"},
    {"BM-O109", PHRASE, "read after a failure"},
    {"BM-O120", LINE, "folder cannot be read"},
    {"BM-O130", LINE, "object missing"},
    {"BM-O131", LINE, "object changed after it was counted, not counted again"},
    {"BM-O140", LINE, "object goes into quarantine"},
    {"BM-O141", BY_CAUSE, "object not counted"},
    {"BM-O142", PHRASE, "objects are not counted"},
    {"BM-O142", PHRASE, "objects could not be counted"},
    {"BM-O143", PHRASE, "not an object of this source"},

    /* T: texts in objects */
    {"BM-T100", BY_CAUSE, "text skipped"},
    {"BM-T101", WORD, "malformed"},
    {"BM-T102", WORD, "not_invocation_log"},
    {"BM-T103", WORD, "invalid"},
    {"BM-T104", WORD, "out_of_range"},
    {"BM-T110", LINE, "more texts skipped"},
    {"BM-T120", LINE, "unknown geography, counted as CrossRegion"},
    {"BM-T121", LINE, "unknown schemaVersion, counted as 1.0"},

    /* Q: messages and queues */
    {"BM-Q100", BY_CAUSE, "message comes back"},
    {"BM-Q101", PHRASE, "no time left"},
    {"BM-Q102", PHRASE, "bucket is not in S3_BUCKET_NAME"},
    {"BM-Q103", PHRASE, "behind a message that failed"},
    {"BM-Q104", PHRASE, "not published:"},
    {"BM-Q104", PHRASE, "denied before"},
    {"BM-Q110", PHRASE, "not an S3, SNS or EventBridge event"},
    {"BM-Q110", PHRASE, "event names no"},
    {"BM-Q110", PHRASE, "event with an impossible"},
    {"BM-Q110", PHRASE, "event record is not"},
    {"BM-Q110", PHRASE, "S3 event of an unknown version"},
    {"BM-Q110", PHRASE, "S3 event without a name"},
    {"BM-Q110", PHRASE, "event without records"},
    {"BM-Q110", PHRASE, "event without objects"},
    {"BM-Q110", PHRASE, "object key with a bad % escape"},
    {"BM-Q110", PHRASE, "object key is longer than 1024 bytes"},
    {"BM-Q110", PHRASE, "record is not a queue message"},
    {"BM-Q110", PHRASE, "queue message without an id"},
    {"BM-Q111", PHRASE, "not a valid JSON text"},
    {"BM-Q111", PHRASE, "the JSON text is not an object"},
    {"BM-Q111", PHRASE, "JSON is nested too deeply"},
    {"BM-Q111", PHRASE, "JSON holds too many values"},
    {"BM-Q112", PHRASE, "message body is larger than 1 MiB"},
    {"BM-Q112", PHRASE, "payload is larger than 6 MiB"},
    {"BM-Q112", PHRASE, "event does not fit"},
    {"BM-Q113", PHRASE, "command with an option that is no scalar"},
    {"BM-Q120", BY_CAUSE, "queue cannot be polled"},
    {"BM-Q121", LINE, "counted messages cannot be deleted: they count again"},
    {"BM-Q122", LINE, "visibility of messages under way cannot be extended"},
    {"BM-Q123", LINE, "queue's visibility timeout is not known, two minutes are used"},
    {"BM-Q124", LINE, "no thread for the heart-beat"},
    {"BM-Q124", PHRASE, "no thread for another queue"},
    {"BM-Q125", PHRASE, "could not be drained"},
    {"BM-Q126", PHRASE, "the dead-letter queue's"},
    {"BM-Q126", PHRASE, "source ARN is not text"},
    {"BM-Q130", LINE, "the bucket is not in S3_BUCKET_NAME: receivers refuse its events"},
    {"BM-Q131", LINE, "enqueue ends early"},
    {"BM-Q132", LINE, "interrupted"},

    /* P: publishing */
    {"BM-P100", BY_CAUSE, "publishing failed"},
    {"BM-P101", LINE, "publish in doubt: it may be counted twice when its messages come back"},
    {"BM-P101", LINE, "publish in doubt: publishing again may count twice"},
    {"BM-P102", LINE, "publish in doubt"},
    {"BM-P103", LINE,
     "publish failed half way: what was accepted counts twice when its messages come back"},
    {"BM-P104", BY_CAUSE, "publish refused"},
    {"BM-P105", BY_CAUSE, "request cannot be signed"},
    {"BM-P105", BY_CAUSE, "control marker cannot be signed"},
    {"BM-P106", LINE, "markers cannot be read"},
    {"BM-P110", LINE, "datum refused by CloudWatch, left out"},
    {"BM-P110", LINE, "data refused by CloudWatch, left out"},
    {"BM-P111", PHRASE, "PutMetricData: larger than 1 MiB compressed"},
    {"BM-P120", LINE,
     "older than the two weeks CloudWatch takes, not sent; `aggregate` reports it"},
    {"BM-P120", LINE,
     "older than the two weeks CloudWatch takes, not sent; `bedrock-metrics aggregate` reports on "
     "them (--output table, csv, json, openmetrics)"},
    {"BM-P121", LINE, "more than two hours ahead, not sent"},
    {"BM-P122", LINE, "series beyond MAX_SERIES_PER_SET folded into Other"},
    {"BM-P130", LINE,
     "no widgets for a set: a SEARCH expression cannot hold its names, or gets longer than 1024 "
     "characters"},
    {"BM-P131", PHRASE, "the body is larger than CloudWatch takes"},

    /* L: the ledger */
    {"BM-L100", LINE, "ledger closed after a fault of its file"},
    {"BM-L101", LINE, "the ledger cannot be worked with, nothing is published"},
    {"BM-L102", BY_CAUSE, "ledger cannot be reached"},
    {"BM-L103", LINE, "ledger cannot be pruned"},
    {"BM-L104", LINE, "unfinished batches stay"},
    {"BM-L105", LINE, "requests in doubt"},
    {"BM-L106", LINE, "a request was applied more than once"},
    {"BM-L107", LINE, "quarantine cannot be written"},
    {"BM-L108", LINE, "receipt is not complete: out of memory"},
    {"BM-L109", BY_CAUSE, "sweep ended early"},
    {"BM-L110", BY_CAUSE, "failed"},
    {"BM-L201", PHRASE, "Another process is using it"},
    {"BM-L202", PHRASE, "Is not a regular file"},
    {"BM-L202", PHRASE, "elongs to another user"},
    {"BM-L202", PHRASE, "Is accessible to other users"},
    {"BM-L202", PHRASE, "Its folder can be written by other users"},
    {"BM-L203", PHRASE, "There is no ledger"},
    {"BM-L204", PHRASE, "Is damaged"},
    {"BM-L204", PHRASE, "Is empty"},
    {"BM-L204", PHRASE, "Is a SQLite file of something else"},
    {"BM-L204", PHRASE, "Does not have the expected tables"},
    {"BM-L204", PHRASE, "The schema is too long"},
    {"BM-L205", PHRASE, "Has schema version"},
    {"BM-L206", PHRASE, "Cannot be used"},
    {"BM-L206", PHRASE, "Cannot be read"},
    {"BM-L206", PHRASE, "Cannot be opened"},
    {"BM-L206", PHRASE, "Cannot be made"},
    {"BM-L206", PHRASE, "Cannot be looked at"},
    {"BM-L206", PHRASE, "Its folder cannot be"},
    {"BM-L206", PHRASE, "Its lock"},
    {"BM-L206", PHRASE, "The path is too long"},
    {"BM-L207", PHRASE, "for namespace"},
    {"BM-L208", PHRASE, "more data than a batch takes"},
    {"BM-L209", PHRASE, "the ledger cannot be read"},
    {"BM-L209", PHRASE, "the ledger failed"},

    /* S: serve, its store and its page */
    {"BM-S100", LINE, "store cannot be written, trying again"},
    {"BM-S101", LINE, "folder cannot be watched, looking again every few seconds"},
    {"BM-S102", LINE, "rollups cannot be written, answers take longer"},
    {"BM-S110", PHRASE, "is in use by another process"},
    {"BM-S111", PHRASE, "the store was filled from another folder"},
    {"BM-S112", PHRASE, "the store has version"},
    {"BM-S113", PHRASE, "the store is damaged"},
    {"BM-S113", PHRASE, "the file is no usage store"},
    {"BM-S114", PHRASE, "the store's path is too long"},
    {"BM-S116", PHRASE, "exceed a gigabyte"},
    {"BM-S117", PHRASE, "the store is of version"},
    {"BM-S118", PHRASE, "leave the keys out or take another store"},
    {"BM-S115", PHRASE, "store:"},
    {"BM-S120", PHRASE, "the web server cannot be started"},
    {"BM-S121", PHRASE, "libmicrohttpd.so.12"},

    /* R: runs as a whole */
    {"BM-R100", BY_CAUSE, "the function ends"},
    {"BM-R101", BY_CAUSE, "invocation failed"},
    {"BM-R102", LINE, "result refused by Lambda"},
    {"BM-R103", LINE, "cannot ask for the next invocation"},
    {"BM-R104", BY_CAUSE, "worker ends"},
    {"BM-R110", LINE, "result cannot be written"},
    {"BM-R110", PHRASE, "the result could not be written"},
    {"BM-R110", PHRASE, "standard output"},
    {"BM-R111", LINE, "the balance does not hold: this is a bug, please report it"},
    {"BM-R112", LINE, "no HTTP"},
    {"BM-R112", PHRASE, "libcurl"},
    {"BM-R113", PHRASE, "out of memory"},
    {"BM-R113", PHRASE, "no memory for the price list"},
    {"BM-R120", LINE, "ran in a Region that is not allowed"},
    {"BM-R121", LINE, "inference Region not logged"},
    {"BM-R122", LINE, "neither the logs nor AWS/Bedrock have anything in this time"},
    {"BM-R123", LINE, "records of impossible Regions left out"},
    {"BM-R124", PHRASE, "the answer is not complete"},
    {"BM-R125", LINE, "ran in Regions that are not allowed"},
    {"BM-R130", LINE, "application inference profiles cannot be listed"},
    {"BM-R131", LINE, "inference profiles are not read again"},
    {"BM-R132", LINE, "no application profile in the inference profiles file"},
    {"BM-R133", LINE, "application inference profile cannot be resolved"},
    {"BM-R134", LINE, "tags of application inference profiles cannot be read"},
    {"BM-R134", PHRASE, "not an ARN"},
    {"BM-R140", LINE, "not all of .env was read"},

    /* U1: words of the command line */
    {"BM-U100", OTHER, "usage"},
    {"BM-U101", PHRASE, "unknown option"},
    {"BM-U102", PHRASE, "unknown command"},
    {"BM-U103", PHRASE, "is given twice"},
    {"BM-U103", PHRASE, "is named twice"},
    {"BM-U104", PHRASE, "takes no value"},
    {"BM-U105", PHRASE, "needs a value"},
    {"BM-U106", PHRASE, "takes no arguments"},
    {"BM-U106", PHRASE, "is not expected here"},
    {"BM-U106", PHRASE, "more than one FOLDER"},
    {"BM-U106", PHRASE, "sweep takes one"},
    {"BM-U107", PHRASE, "no SOURCE given"},
    {"BM-U107", PHRASE, "an empty SOURCE"},
    {"BM-U107", PHRASE, "no FOLDER given"},
    {"BM-U107", PHRASE, "nor SOURCE given"},
    {"BM-U107", PHRASE, "one s3://BUCKET[/PREFIX] is needed"},
    {"BM-U107", PHRASE, "says what to list"},
    {"BM-U107", PHRASE, "one of these is wanted"},
    {"BM-U107", PHRASE, "explain needs"},
    {"BM-U108", PHRASE, "exclude each other"},
    {"BM-U108", PHRASE, "do not go with"},
    {"BM-U108", PHRASE, "are given, take one"},
    {"BM-U108", PHRASE, "leave out --by"},
    {"BM-U108", PHRASE, "a page has them all"},
    {"BM-U108", PHRASE, "belongs to --canary"},
    {"BM-U108", PHRASE, "does not take the option"},
    {"BM-U109", PHRASE, "a page does not belong on a terminal"},

    /* U3: settings that are missing */
    {"BM-U301", PHRASE, "SQS_QUEUE_URL is not set"},
    {"BM-U301", PHRASE, "no queue: give --queue"},
    {"BM-U301", PHRASE, "SQS_QUEUE_URL names several queues"},
    {"BM-U302", PHRASE, "S3_BUCKET_NAME is not set"},
    {"BM-U303", PHRASE, "no Region: "},
    {"BM-U304", PHRASE, "AWS_LAMBDA_RUNTIME_API is not"},
    {"BM-U305", PHRASE, "says which ledger"},
    {"BM-U305", PHRASE, "sweep needs LEDGER"},
    {"BM-U306", PHRASE, "no home folder for the store"},
    {"BM-U307", PHRASE, "names no metric"},

    /* U4: files of settings */
    {"BM-U401", PHRASE, "expected NAME=VALUE"},
    {"BM-U401", PHRASE, "--env-file"},
    {"BM-U401", PHRASE, ": too long"},
    {"BM-U402", PHRASE, "inference profiles file"},
    {"BM-U402", PHRASE, "INFERENCE_PROFILES_FILE"},
    {"BM-U403", PHRASE, "price list"},
    {"BM-U403", PHRASE, "PRICES_FILE"},
    {"BM-U404", PHRASE, "is no state of enqueue"},
    {"BM-U404", PHRASE, "is of another bucket, prefix or queue"},
    {"BM-U405", PHRASE, "is no folder"},
    {"BM-U405", PHRASE, "FOLDER "},

    /* U2: values of options and variables */
    {"BM-U201", PHRASE, "unknown dimension"},
    {"BM-U201", PHRASE, "an empty dimension name"},
    {"BM-U202", PHRASE, "unknown metric"},
    {"BM-U203", PHRASE, "different keys of one kind"},
    {"BM-U203", PHRASE, "dimensions in one set"},
    {"BM-U203", PHRASE, " sets in "},
    {"BM-U203", PHRASE, "the report has too many sets"},
    {"BM-U204", PHRASE, "is no date-time"},
    {"BM-U204", PHRASE, "is neither a time nor a span"},
    {"BM-U204", PHRASE, "is no span"},
    {"BM-U204", PHRASE, "is no date such as"},
    {"BM-U204", PHRASE, "must be a whole minute"},
    {"BM-U204", PHRASE, "digits behind the second"},
    {"BM-U205", PHRASE, "before --until"},
    {"BM-U206", PHRASE, "days only"},
    {"BM-U207", PHRASE, "is neither true nor false"},
    {"BM-U207", PHRASE, "must be true or false"},
    {"BM-U208", PHRASE, "is no whole number"},
    {"BM-U208", PHRASE, "is no number from"},
    {"BM-U208", PHRASE, "is no whole percentage"},
    {"BM-U208", PHRASE, "is no amount in dollars"},
    {"BM-U208", PHRASE, "must be 1 to 100"},
    {"BM-U208", PHRASE, "must be seconds, at most"},
    {"BM-U209", PHRASE, "is not 1, 5, 10, 30 or a multiple of 60"},
    {"BM-U209", PHRASE, "does not divide the --interval"},
    {"BM-U210", PHRASE, "is not kept in the store"},
    {"BM-U211", PHRASE, "are the same label in OpenMetrics"},
    {"BM-U212", PHRASE, "cannot be published: CloudWatch takes names"},
    {"BM-U213", PHRASE, "names below AWS/ are not ours"},
    {"BM-U213", PHRASE, "is not 1 to 255 of letters"},
    {"BM-U214", PHRASE, "is no Region"},
    {"BM-U214", PHRASE, "no Region is given"},
    {"BM-U214", PHRASE, "not a Region"},
    {"BM-U214", PHRASE, "an empty Region"},
    {"BM-U214", PHRASE, "Region name is too long"},
    {"BM-U214", PHRASE, "no dual-stack endpoints in Region"},
    {"BM-U215", PHRASE, "is not s3://bucket[/prefix]"},
    {"BM-U215", PHRASE, "is no bucket name"},
    {"BM-U215", PHRASE, "not a bucket name"},
    {"BM-U216", PHRASE, "not a queue URL"},
    {"BM-U216", PHRASE, "queue URL without a queue name"},
    {"BM-U216", PHRASE, "queue URL is neither one of SQS nor on loopback"},
    {"BM-U216", PHRASE, "is no name, URL or ARN of one"},
    {"BM-U217", PHRASE, "is no account number"},
    {"BM-U218", PHRASE, "is no ID of `quarantine list`"},
    {"BM-U219", PHRASE, "is no ADDRESS:PORT"},
    {"BM-U219", PHRASE, "is not ADDRESS:PORT"},
    {"BM-U219", PHRASE, "cannot listen on"},
    {"BM-U219", PHRASE, "cannot serve on"},
    {"BM-U219", OUTSIDE, "Address already in use"},
    {"BM-U219", OUTSIDE, "Cannot assign requested address"},
    {"BM-U220", PHRASE, "cannot run here"},
    {"BM-U221", PHRASE, "ROLE_ARN: "},
    {"BM-U222", PHRASE, "LEDGER_POLICY: "},
    {"BM-U222", PHRASE, "LEDGER_IDENTITY: "},
    {"BM-U222", PHRASE, "is not possible here"},
    {"BM-U222", PHRASE, "is no table's name"},
    {"BM-U222", PHRASE, "instances of a function cannot share"},
    {"BM-U222", PHRASE, "LEDGER needs PUBLISHER=cloudwatch"},
    {"BM-U222", PHRASE, "Records must be kept for at least"},
    {"BM-U222", PHRASE, "commands are not taken here"},
    {"BM-U223", PHRASE, "is no code, and no message"},
    {"BM-U224", PHRASE, "cannot stand in a template"},
    {"BM-U225", PHRASE, "keys are too long"},
    {"BM-U225", PHRASE, "keys for a store"},
    {"BM-U225", PHRASE, "is too long"},
    {"BM-U299", PHRASE, "known are"},
    {"BM-U299", PHRASE, "is unknown"},
    {"BM-U299", PHRASE, "unknown log level"},
    {"BM-U299", PHRASE, "must be function or worker"},
    {"BM-U299", PHRASE, "must be text or json"},
    {"BM-U299", PHRASE, "is neither Text nor JSON"},

    /* A: what AWS answers, and the way to it */
    {"BM-A100", LINE, "clock differs from AWS, corrected for signatures"},
    {"BM-A101", PHRASE, "no AWS credentials"},
    {"BM-A102", LINE, "credentials could not be renewed yet"},
    {"BM-A103", LINE, "credentials file can be read by others; chmod 600 it"},
    {"BM-A104", PHRASE, "go together"},
    {"BM-A104", PHRASE, "holds a blank or control byte"},
    {"BM-A104", PHRASE, "AWS_SESSION_TOKEN"},
    {"BM-A105", PHRASE, "is in neither config nor credentials file"},
    {"BM-A105", PHRASE, "source_profile"},
    {"BM-A105", PHRASE, "keys are incomplete or not usable"},
    {"BM-A105", PHRASE, "profiles refer to one another"},
    {"BM-A105", PHRASE, "has no credentials to take a role with"},
    {"BM-A105", PHRASE, "credential_source"},
    {"BM-A105", PHRASE, "duration_seconds is not 900 to 43200"},
    {"BM-A105", PHRASE, "file larger than"},
    {"BM-A105", PHRASE, "is not a regular file"},
    {"BM-A105", PHRASE, "is too large"},
    {"BM-A105", PHRASE, "is neither a section nor key = value"},
    {"BM-A106", PHRASE, "IAM Identity Center"},
    {"BM-A106", PHRASE, "needs MFA"},
    {"BM-A107", PHRASE, "role ARN"},
    {"BM-A107", PHRASE, "role session name"},
    {"BM-A107", PHRASE, "role_session_name"},
    {"BM-A107", PHRASE, "external id of a role"},
    {"BM-A107", PHRASE, "needs a role in AWS_ROLE_ARN"},
    {"BM-A107", PHRASE, "token file"},
    {"BM-A108", PHRASE, "credential_process"},
    {"BM-A109", PHRASE, "container credentials"},
    {"BM-A109", PHRASE, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"},
    {"BM-A110", PHRASE, "metadata service"},
    {"BM-A111", PHRASE, "is not an endpoint address"},
    {"BM-A111", PHRASE, "must be https"},
    {"BM-A111", PHRASE, "cannot form an address"},
    {"BM-A112", PHRASE, "CA file cannot be read"},
    {"BM-A113", PHRASE, "AWS_RETRY_MODE"},
    {"BM-A114", PHRASE, "credentials are no JSON object"},
    {"BM-A114", PHRASE, "credentials of an unknown version"},
    {"BM-A114", PHRASE, "Expiration is no date-time"},
    {"BM-A114", PHRASE, "credentials without usable keys"},
    {"BM-A114", PHRASE, "holds no usable credentials"},
    {"BM-A201", OUTSIDE, "kms:"},
    {"BM-A201", OUTSIDE, "KMS."},
    {"BM-A202", OUTSIDE, "AccessDenied"},
    {"BM-A202", OUTSIDE, "AuthorizationError"},
    {"BM-A202", OUTSIDE, "UnauthorizedOperation"},
    {"BM-A202", OUTSIDE, "NotAuthorized"},
    {"BM-A203", OUTSIDE, "NoSuchBucket"},
    {"BM-A204", OUTSIDE, "NoSuchKey"},
    {"BM-A205", OUTSIDE, "NonExistentQueue"},
    {"BM-A205", OUTSIDE, "QueueDoesNotExist"},
    {"BM-A206", OUTSIDE, "ResourceNotFound"},
    {"BM-A207", OUTSIDE, "Throttl"},
    {"BM-A207", OUTSIDE, "SlowDown"},
    {"BM-A207", OUTSIDE, "TooManyRequests"},
    {"BM-A207", OUTSIDE, "ProvisionedThroughputExceeded"},
    {"BM-A207", OUTSIDE, "RequestLimitExceeded"},
    {"BM-A207", OUTSIDE, ": 429"},
    {"BM-A208", OUTSIDE, "ExpiredToken"},
    {"BM-A208", OUTSIDE, "TokenRefreshRequired"},
    {"BM-A209", OUTSIDE, "InvalidAccessKeyId"},
    {"BM-A209", OUTSIDE, "InvalidClientTokenId"},
    {"BM-A209", OUTSIDE, "UnrecognizedClient"},
    {"BM-A209", OUTSIDE, "SignatureDoesNotMatch"},
    {"BM-A209", OUTSIDE, "InvalidSignature"},
    {"BM-A210", OUTSIDE, "RequestTimeTooSkewed"},
    {"BM-A211", OUTSIDE, "InvalidObjectState"},
    {"BM-A212", OUTSIDE, "PermanentRedirect"},
    {"BM-A212", OUTSIDE, "AuthorizationHeaderMalformed"},
    {"BM-A212", OUTSIDE, "IllegalLocationConstraint"},
    {"BM-A213", OUTSIDE, "PreconditionFailed"},
    {"BM-A213", OUTSIDE, ": 412"},
    {"BM-A202", OUTSIDE, ": 401"},
    {"BM-A202", OUTSIDE, ": 403"},
    {"BM-A214", OUTSIDE, ": 404"},
    {"BM-A215", OUTSIDE, ": 500"},
    {"BM-A215", OUTSIDE, ": 502"},
    {"BM-A215", OUTSIDE, ": 503"},
    {"BM-A215", OUTSIDE, ": 504"},
    {"BM-A216", OUTSIDE, ": 400"},
    {"BM-A301", PHRASE, "timed out"},
    {"BM-A302", PHRASE, "the server could not be authenticated"},
    {"BM-A303", OUTSIDE, "resolve host"},
    {"BM-A303", OUTSIDE, "resolve proxy"},
    {"BM-A304", OUTSIDE, "connect to"},
    {"BM-A304", OUTSIDE, "onnection refused"},
    {"BM-A304", OUTSIDE, "onnection reset"},
    {"BM-A304", OUTSIDE, "Recv failure"},
    {"BM-A304", OUTSIDE, "Empty reply"},
    {"BM-A305", PHRASE, "unusable answer"},
    {"BM-A305", PHRASE, "the answer is no JSON object"},
    {"BM-A305", PHRASE, "truncated page without a new token"},
    {"BM-A305", PHRASE, "ReceiveMessage: "},
    {"BM-A305", PHRASE, "XML answer"},
    {"BM-A305", PHRASE, "not an inference profile"},
    {"BM-A305", PHRASE, "not a function"},
    {"BM-A305", PHRASE, "Query: more than"},
    {"BM-A305", PHRASE, "keys stay unprocessed"},
    {"BM-A305", PHRASE, "the answer is larger than allowed"},
    {"BM-A305", PHRASE, " pages"},
    {"BM-A306", PHRASE, "stopped "},
    {"BM-A306", PHRASE, "asked to stop"},
    {"BM-A306", WORD, "cancelled"},
    {"BM-A307", PHRASE, "next invocation: answered"},
    {"BM-A307", PHRASE, "next invocation: no usable request id"},
    {"BM-A307", PHRASE, "response: larger than 6 MiB"},
    {"BM-A308", PHRASE, "an entry failed"},
    {"BM-A309", PHRASE, "cannot set up HTTP"},
    {"BM-A309", PHRASE, "control byte"},
    {"BM-A309", PHRASE, "bad address"},
    {"BM-A309", PHRASE, "request address too long"},
    {"BM-A309", PHRASE, "the request cannot be signed"},
    {"BM-A309", PHRASE, "a signature is sent only once"},
    {"BM-A309", PHRASE, "not signed"},

    /* F: what the system answers about a file */
    {"BM-F101", OUTSIDE, "No such file or directory"},
    {"BM-F101", OUTSIDE, "Not a directory"},
    {"BM-F102", OUTSIDE, "Permission denied"},
    {"BM-F102", OUTSIDE, "Operation not permitted"},
    {"BM-F103", OUTSIDE, "No space left on device"},
    {"BM-F103", OUTSIDE, "Disk quota exceeded"},
    {"BM-F103", OUTSIDE, "File too large"},
    {"BM-F104", OUTSIDE, "Input/output error"},
    {"BM-F104", OUTSIDE, "Stale file handle"},
    {"BM-F105", OUTSIDE, "Too many open files"},
    {"BM-F106", OUTSIDE, "Is a directory"},
    {"BM-F107", OUTSIDE, "Read-only file system"},
    {"BM-F108", OUTSIDE, "File name too long"},
    {"BM-F108", OUTSIDE, "Too many levels of symbolic links"},
    {"BM-F109", PHRASE, "cannot be opened"},
    {"BM-F109", PHRASE, "read failed"},
    {"BM-F109", PHRASE, "cannot be read"},
    {"BM-F109", PHRASE, "cannot read"},

    /* what could stand in other texts too, so it comes last */
    {"BM-A216", PHRASE, "key is longer than"},
    {"BM-A216", PHRASE, "empty key"},
    {"BM-A216", PHRASE, "bucket, key or version is too long"},
    {"BM-A216", PHRASE, "prefix is longer than"},
    {"BM-U203", PHRASE, "SQS_QUEUE_URL: more than"},
    {"BM-U203", PHRASE, "--regions: more than"},
    {"BM-U203", PHRASE, " Regions"},
    {"BM-U203", PHRASE, " names"},
    {"BM-U203", PHRASE, " rows"},
    {"BM-A305", PHRASE, "answered "},
    {"BM-U299", PHRASE, " cannot be "},
    {"BM-O120", PHRASE, "folder cannot be read"},
    {"BM-O120", PHRASE, "folder is nested too deeply"},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

/* Where the part in quotes that begins at `at` ends; the quote itself when it is not closed. */
static size_t behind_quotes(struct view text, size_t at)
{
    size_t close = view_find_char(view_skip(text, at + 1), '"');
    return close == SIZE_MAX ? at + 1 : at + 1 + close + 1;
}

static bool holds(struct view text, struct view phrase)
{
    for (size_t at = 0; at + phrase.len <= text.len;) {
        if (text.ptr[at] == phrase.ptr[0] && memcmp(text.ptr + at, phrase.ptr, phrase.len) == 0)
            return true;
        at = text.ptr[at] == '"' ? behind_quotes(text, at) : at + 1;
    }
    return false;
}

const char *code_of_reason(struct view reason)
{
    for (size_t i = 0; i < ROWS; i++) {
        struct view text = view_of(rows[i].text);
        bool fits = false;
        if (rows[i].kind == WORD)
            fits = view_eq(reason, text);
        else if (rows[i].kind == PHRASE || rows[i].kind == OUTSIDE)
            fits = holds(reason, text);
        if (fits)
            return rows[i].code;
    }
    return NULL;
}

const char *code_of_line(const char *message, struct view reason)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].kind > BY_CAUSE || strcmp(rows[i].text, message) != 0)
            continue;
        const char *cause = rows[i].kind == BY_CAUSE ? code_of_reason(reason) : NULL;
        return cause != NULL ? cause : rows[i].code;
    }
    return NULL;
}

const char *code_of_usage(struct view text)
{
    const char *code = code_of_reason(text);
    for (size_t i = 0; i < ROWS && code == NULL; i++)
        code = rows[i].kind == OTHER ? rows[i].code : NULL;
    return code;
}

bool code_at(size_t i, struct code_text *out)
{
    if (i >= ROWS)
        return false;
    *out = (struct code_text){.code = rows[i].code,
                              .text = rows[i].text,
                              .is_line = rows[i].kind <= BY_CAUSE,
                              .from_outside = rows[i].kind == OUTSIDE || rows[i].kind == OTHER};
    return true;
}

/* test_answers.c: the codes of what AWS and the system answer. */
#include "unit.h"

#include <errno.h>

#include "aws/aws_private.h"

static void answers_of_aws(void **state)
{
    static const struct {
        int http;
        const char *name, *message;
        enum code code;
    } cases[] = {
        {403, "AccessDenied", "Access Denied", E_A202},
        {403, "AccessDenied",
         "User: arn:aws:iam::123456789012:user/x is not authorized to perform: kms:Decrypt on "
         "resource: arn:aws:kms:us-east-1:123456789012:key/1",
         E_A201},
        {403, "AccessDenied",
         "User: arn:aws:iam::123456789012:user/kms: is not authorized to perform: s3:GetObject on "
         "resource: \"arn:aws:s3:::b/ is not authorized to perform: kms:\"",
         E_A202},
        {403, "KMS.DisabledException", "", E_A201},
        {400, "KMSAccessDeniedException", "", E_A201},
        {403, "KmsAccessDenied", "", E_A201},
        {403, "AuthorizationError", "", E_A202},
        {403, "UnauthorizedOperation", "", E_A202},
        {400, "NotAuthorized", "", E_A202},
        {403, "", "", E_A202},
        {401, "", "", E_A202},
        {404, "NoSuchBucket", "The specified bucket does not exist", E_A203},
        {404, "NoSuchKey", "The specified key does not exist.", E_A204},
        {400, "AWS.SimpleQueueService.NonExistentQueue", "", E_A205},
        {400, "QueueDoesNotExist", "", E_A205},
        {400, "ResourceNotFoundException", "", E_A206},
        {400, "ThrottlingException", "Rate exceeded", E_A207},
        {503, "SlowDown", "", E_A207},
        {429, "", "", E_A207},
        {429, "TooManyRequestsException", "", E_A207},
        {400, "ProvisionedThroughputExceededException", "", E_A207},
        {400, "RequestLimitExceeded", "", E_A207},
        {403, "ExpiredToken", "", E_A208},
        {400, "ExpiredTokenException", "", E_A208},
        {400, "TokenRefreshRequired", "", E_A208},
        {403, "InvalidAccessKeyId", "", E_A209},
        {403, "InvalidClientTokenId", "", E_A209},
        {403, "UnrecognizedClientException", "", E_A209},
        {403, "SignatureDoesNotMatch", "", E_A209},
        {403, "InvalidSignatureException", "", E_A209},
        {403, "RequestTimeTooSkewed", "", E_A210},
        {403, "InvalidObjectState", "", E_A211},
        {301, "PermanentRedirect", "", E_A212},
        {400, "AuthorizationHeaderMalformed", "", E_A212},
        {400, "IllegalLocationConstraintException", "", E_A212},
        {412, "PreconditionFailed", "", E_A213},
        {412, "", "", E_A213},
        {404, "", "", E_A214},
        {404, "AccessDeniedButNot", "", E_A214},
        {500, "InternalError", "", E_A215},
        {502, "", "", E_A215},
        {503, "ServiceUnavailable", "", E_A215},
        {504, "", "", E_A215},
        {400, "InvalidParameterValue", "AccessDenied: 503", E_A216},
        {307, "", "", E_NONE},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct aws_answer answer;
        aws_answer_init(&answer);
        answer.http.status = cases[i].http;
        snprintf(answer.code, sizeof(answer.code), "%s", cases[i].name);
        snprintf(answer.message, sizeof(answer.message), "%s", cases[i].message);
        expect_u64(i, "code", aws_answer_code(&answer), cases[i].code);
        aws_answer_clear(&answer);
    }
    assert_int_equal(aws_code_of_name(VIEW_LIT("AccessDenied"), E_A308), E_A202);
    assert_int_equal(aws_code_of_name(VIEW_LIT("InternalError"), E_A308), E_A308);
    assert_int_equal(aws_code_of_name(VIEW_EMPTY, E_A308), E_A308);
}

static void answers_of_the_system(void **state)
{
    static const struct {
        int number;
        enum code code;
    } cases[] = {
        {ENOENT, E_F101}, {ENOTDIR, E_F101},      {EACCES, E_F102}, {EPERM, E_F102},
        {ENOSPC, E_F103}, {EDQUOT, E_F103},       {EFBIG, E_F103},  {EIO, E_F104},
        {ESTALE, E_F104}, {EMFILE, E_F105},       {ENFILE, E_F105}, {EISDIR, E_F106},
        {EROFS, E_F107},  {ENAMETOOLONG, E_F108}, {ELOOP, E_F108},  {ENOMEM, E_R113},
        {0, E_F109},      {ETXTBSY, E_F109},      {-1, E_F109},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        expect_u64(i, "code", code_of_errno(cases[i].number, E_F109), cases[i].code);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_of_aws),
        cmocka_unit_test(answers_of_the_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

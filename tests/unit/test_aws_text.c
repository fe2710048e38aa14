/* The parsers of the AWS layer: URIs, XML, ini files, command lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "aws/aws_ini.h"
#include "aws/cred.h"
#include "aws/uri.h"
#include "aws/xml_scan.h"

static void test_encoding(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    uri_add_encoded(&b, VIEW_LIT("a b/c+~%\xc3\xa9"));
    assert_true(view_eq_cstr(buf_view(&b), "a%20b%2Fc%2B~%25%C3%A9"));
    buf_reset(&b);
    uri_add_encoded_path(&b, VIEW_LIT("/a/../b?c#d"));
    assert_true(view_eq_cstr(buf_view(&b), "/a/../b%3Fc%23d"));
    buf_reset(&b);
    assert_int_equal(uri_decode(&b, VIEW_LIT("a+b%20c%2b%C3%a9"), true), ST_OK);
    assert_true(view_eq_cstr(buf_view(&b), "a b c+\xc3\xa9"));
    static const char *const bad[] = {"%", "%4", "%zz", "abc%2"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(uri_decode(&b, view_of(bad[i]), false), ST_BAD_ITEM);
    buf_clear(&b);
}

static void test_uri(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum status st;
        const char *host;
        unsigned port;
    } cases[] = {
        {"https://s3.us-east-1.amazonaws.com", ST_OK, "s3.us-east-1.amazonaws.com", 443},
        {"http://127.0.0.1:5055/a/b", ST_OK, "127.0.0.1", 5055},
        {"HTTPS://Host:1/", ST_OK, "Host", 1},
        {"http://[::1]:99", ST_OK, "::1", 99},
        {"https://user@host/", ST_USAGE, NULL, 0},
        {"https://host#frag", ST_USAGE, NULL, 0},
        {"https://host/a?b", ST_USAGE, NULL, 0},
        {"https://host:0", ST_USAGE, NULL, 0},
        {"https://host:65536", ST_USAGE, NULL, 0},
        {"https://host:", ST_USAGE, NULL, 0},
        {"https://host:1a", ST_USAGE, NULL, 0},
        {"https://", ST_USAGE, NULL, 0},
        {"https:///path", ST_USAGE, NULL, 0},
        {"ftp://host", ST_USAGE, NULL, 0},
        {"file:///etc/passwd", ST_USAGE, NULL, 0},
        {"https://ho st", ST_USAGE, NULL, 0},
        {"https://host\r\nX: y", ST_USAGE, NULL, 0},
        {"https://[::1", ST_USAGE, NULL, 0},
        {"https://[::1]x", ST_USAGE, NULL, 0},
        {"https://host/%zz", ST_USAGE, NULL, 0},
        {"https://host\\@evil", ST_USAGE, NULL, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct uri u;
        enum status st = uri_parse(view_of(cases[i].text), &u);
        if (st != cases[i].st)
            fail_msg("%s: %s", cases[i].text, status_name(st));
        if (st == ST_OK) {
            assert_true(view_eq_cstr(u.host, cases[i].host));
            assert_int_equal(u.port, cases[i].port);
        }
    }
}

static void test_loopback(void **state)
{
    (void)state;
    static const char *const yes[] = {"localhost", "LOCALHOST", "127.0.0.1", "127.255.0.9", "::1"};
    static const char *const no[] = {
        "127.0.0.1.evil.com", "127.1",      "0177.0.0.1", "128.0.0.1",
        "localhost.evil.com", "127.0.0.",   "",           "127.0.0.256",
        "127.0.0.01",         "127.0.0.1.", "::2"};
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
        assert_true(uri_host_is_loopback(view_of(yes[i])));
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        if (uri_host_is_loopback(view_of(no[i])))
            fail_msg("%s is no loopback", no[i]);
}

static void test_xml_find(void **state)
{
    (void)state;
    static const struct {
        const char *xml;
        const char *path;
        const char *want; /* NULL: not found */
    } cases[] = {
        {"<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code></Error>", "Error/Code", "NoSuchKey"},
        {"<a><b/><c>x</c></a>", "a/b", ""},
        {"<a><b/><c>x</c></a>", "a/c", "x"},
        {"<a x=\"&gt;>\" y='<'><b>1</b></a>", "a/b", "1"},
        {"<a x=\">\"><b>1</b></a>", "a/b", "1"},
        {"<a>&lt;&amp;&#65;&#x42;&quot;&apos;&#128512;</a>", "a", "<&AB\"'\xf0\x9f\x98\x80"},
        {"<a><![CDATA[<b>&amp;]]></a>", "a", "<b>&amp;"},
        {"<a><!-- <b>no</b> --><b>yes</b></a>", "a/b", "yes"},
        {"\xef\xbb\xbf<a>bom</a>", "a", "bom"},
        {"<a>\n <b >t</b >\n</a>\n", "a/b", "t"},
        {"<a><b>one</b><b>two</b></a>", "a/b", "one"},
        {"<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", "a", NULL},
        {"<a>&x;</a>", "a", NULL},
        {"<a>&#0;</a>", "a", NULL},
        {"<a>&#xD800;</a>", "a", NULL},
        {"<a>&#x110000;</a>", "a", NULL},
        {"<a>&#99999999999;</a>", "a", NULL},
        {"<a>&;</a>", "a", NULL},
        {"<a>&amp</a>", "a", NULL},
        {"<a><b>x</c></a>", "a/b", NULL},
        {"<a>x", "a", NULL},
        {"", "a", NULL},
        {"junk<a>x</a>", "a", NULL},
        {"</a>", "a", NULL},
        {"<>x</>", "", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf out;
        buf_init(&out, 1000);
        enum status st = xml_scan_find(view_of(cases[i].xml), cases[i].path, &out);
        if (cases[i].want == NULL ? st != ST_MISSING
                                  : st != ST_OK || !view_eq_cstr(buf_view(&out), cases[i].want))
            fail_msg("%s: %s \"%.*s\"", cases[i].xml, status_name(st), (int)out.len, out.ptr);
        buf_clear(&out);
    }
}

static void test_xml_whole(void **state)
{
    (void)state;
    static const struct {
        const char *xml;
        enum status st;
        uint64_t at;
    } cases[] = {
        {"<a></a>", ST_END, 0},
        {"<a></a><b></b>", ST_BAD_ITEM, 8},
        {"<a></a>x", ST_BAD_ITEM, 7},
        {"<a><b></a>", ST_BAD_ITEM, 8},
        {"<a><b></b>", ST_BAD_ITEM, 10},
        {"<a b=\"c></a>", ST_BAD_ITEM, 2},
        {"<a><b><c><d><e><f><g><h><i><j><k><l><m><n><o><p><q>", ST_TOO_BIG, 49},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xml_scan x;
        struct error err = {0};
        enum xml_kind kind;
        enum status st;
        xml_scan_init(&x, view_of(cases[i].xml));
        while ((st = xml_scan_next(&x, &kind, &err)) == ST_OK) {
        }
        if (st != cases[i].st || err.offset != cases[i].at)
            fail_msg("%s: %s at %llu", cases[i].xml, status_name(st),
                     (unsigned long long)err.offset);
        xml_scan_clear(&x);
    }
}

/* Every prefix and every single damaged byte of an answer must end, without a crash. */
static void test_xml_damage(void **state)
{
    (void)state;
    static const char xml[] = "<?xml version='1.0'?><L><!--c--><C><K>a&amp;b</K><S>1</S></C>"
                              "<P><![CDATA[x]]></P><E/></L>";
    size_t len = sizeof(xml) - 1;
    for (size_t i = 0; i < len; i++) {
        static const char with[] = {'<', '>', '&', ';', '/', '"', '\0', '!', '?', ']', (char)0xff};
        for (size_t w = 0; w <= sizeof(with); w++) {
            char *copy = malloc(len); /* its own block, so that ASan sees a read behind it */
            assert_non_null(copy);
            memcpy(copy, xml, len);
            if (w < sizeof(with))
                copy[i] = with[w];
            struct xml_scan x;
            enum xml_kind kind;
            unsigned events = 0;
            xml_scan_init(&x, view_make(copy, w < sizeof(with) ? len : i));
            while (xml_scan_next(&x, &kind, NULL) == ST_OK)
                assert_true(events++ < 200);
            xml_scan_clear(&x);
            free(copy);
        }
    }
}

static const char config_text[] = "# comment\n"
                                  "[default]\n"
                                  "region = eu-west-1 ; why not\n"
                                  "s3 =\n"
                                  "  max_concurrent_requests = 5\n"
                                  "  region = not-this\n"
                                  "output=json\r\n"
                                  "\n"
                                  "[profile audit]\n"
                                  "role_arn = arn:aws:iam::123456789012:role/a#b\n"
                                  "source_profile = default\n"
                                  "services = local\n"
                                  "[profile \"two words\"]\n"
                                  "region=us-east-2\n"
                                  "[services local]\n"
                                  "s3 =\n"
                                  "  endpoint_url = http://127.0.0.1:1\n"
                                  "sqs = \n"
                                  "\tendpoint_url = http://127.0.0.1:2\n"
                                  "[sso-session x]\n"
                                  "sso_region = us-east-1\n"
                                  "[loose]\n"
                                  "region = us-west-1\n";

static void expect(const struct aws_ini *ini, const char *profile, const char *key,
                   const char *want)
{
    struct view got = aws_ini_get(ini, view_of(profile), key);
    if (!view_eq_cstr(got, want))
        fail_msg("[%s] %s = \"%.*s\"", profile, key, (int)got.len, got.ptr);
}

static void test_ini(void **state)
{
    (void)state;
    struct aws_ini *ini = NULL;
    struct error err;
    assert_int_equal(aws_ini_new(&ini), ST_OK);
    assert_int_equal(aws_ini_add(ini, AWS_INI_CONFIG, view_of(config_text), &err), ST_OK);
    assert_int_equal(aws_ini_add(ini, AWS_INI_CREDENTIALS,
                                 VIEW_LIT("[default]\naws_access_key_id=AK\nregion=eu-west-2\n"
                                          "[only]\naws_secret_access_key = a=b/c+d\n"),
                                 &err),
                     ST_OK);
    expect(ini, "default", "region", "eu-west-2"); /* the credentials file wins */
    expect(ini, "default", "output", "json");
    expect(ini, "default", "max_concurrent_requests", "");
    expect(ini, "audit", "role_arn", "arn:aws:iam::123456789012:role/a#b");
    expect(ini, "audit", "ROLE_ARN", "arn:aws:iam::123456789012:role/a#b");
    expect(ini, "two words", "region", "us-east-2");
    expect(ini, "only", "aws_secret_access_key", "a=b/c+d");
    assert_int_equal(aws_ini_add(ini, AWS_INI_CONFIG,
                                 VIEW_LIT("[profile inside]\n  region = eu-south-1\n  s3 =\n"
                                          "    region = no\n  output = text\n  [profile next]\n"
                                          "  region = eu-south-2\n"),
                                 &err),
                     ST_OK);
    expect(ini, "inside", "region", "eu-south-1"); /* a section that is indented as a whole */
    expect(ini, "inside", "output", "text");
    expect(ini, "next", "region", "eu-south-2");
    expect(ini, "loose", "region", ""); /* in the config file it would be [profile loose] */
    assert_true(aws_ini_has_profile(ini, VIEW_LIT("audit")));
    assert_false(aws_ini_has_profile(ini, VIEW_LIT("loose")));
    assert_false(aws_ini_has_profile(ini, VIEW_LIT("local")));
    assert_true(view_eq_cstr(aws_ini_get_service(ini, VIEW_LIT("local"), "sqs", "endpoint_url"),
                             "http://127.0.0.1:2"));
    aws_ini_free(ini);
}

static void test_ini_bad(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t line;
    } cases[] = {{"key = value\n", 1},           {"[default\n", 1},       {"[]\n", 1},
                 {"[default]\nAKIASECRET\n", 2}, {"[default]\n= x\n", 2}, {"[a] junk\n", 1}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct aws_ini *ini = NULL;
        struct error err = {0};
        assert_int_equal(aws_ini_new(&ini), ST_OK);
        assert_int_equal(aws_ini_add(ini, AWS_INI_CREDENTIALS, view_of(cases[i].text), &err),
                         ST_USAGE);
        assert_int_equal(err.offset, cases[i].line);
        assert_null(strstr(err.text, "SECRET"));
        aws_ini_free(ini);
    }
}

static void test_split(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *want; /* words, each followed by | */
    } good[] = {
        {"/bin/cat  a b", "/bin/cat|a|b|"},
        {" \"a b\" 'c d'\t e", "a b|c d|e|"},
        {"a\\ b 'it''s'", "a b|its|"},
        {"x \"\"", "x||"},
        {"p \"q\\\"r\\\\s\\t\"", "p|q\"r\\s\\t|"},
        {"a $(rm -rf /) ;b | c", "a|$(rm|-rf|/)|;b|||c|"},
    };
    static const char *const bad[] = {"", "   ", "a \"b", "a 'b", "a \\"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct buf words;
        size_t n = 0;
        buf_init(&words, 1000);
        assert_int_equal(cred_split_command(view_of(good[i].line), &words, &n), ST_OK);
        for (size_t k = 0; k < words.len; k++)
            if (words.ptr[k] == '\0')
                words.ptr[k] = '|';
        if (!view_eq_cstr(buf_view(&words), good[i].want))
            fail_msg("%s -> %.*s", good[i].line, (int)words.len, words.ptr);
        buf_clear(&words);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct buf words;
        size_t n = 0;
        buf_init(&words, 1000);
        assert_int_equal(cred_split_command(view_of(bad[i]), &words, &n), ST_USAGE);
        buf_clear(&words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encoding),  cmocka_unit_test(test_uri),
        cmocka_unit_test(test_loopback),  cmocka_unit_test(test_xml_find),
        cmocka_unit_test(test_xml_whole), cmocka_unit_test(test_xml_damage),
        cmocka_unit_test(test_ini),       cmocka_unit_test(test_ini_bad),
        cmocka_unit_test(test_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

"""Buckets of other accounts, and application profiles resolved by Bedrock."""
import collections
import json
import time

from support.cloud import Cloud, failures
from support.process import ACCESS, SECRET
from support.records import BUCKET, numbered, s3_event, sqs_payload
from support.results import check, equal

import httpbase
from httpbase import Response

ROLE = "arn:aws:iam::210987654321:role/bedrock-logs-reader"


def sts(request):
    expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    body = ('<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            "<AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE</AccessKeyId>"
            "<SecretAccessKey>role-secret</SecretAccessKey><SessionToken>token</SessionToken>"
            "<Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
            % expires)
    return Response(200, body.encode(), [("Content-Type", "text/xml")])


def test_a_role_for_a_bucket():
    for value, role_reads in ((ROLE, True), ("%s=%s" % (BUCKET, ROLE), True),
                              ("other-bucket=%s" % ROLE, False)):
        with Cloud() as cloud, httpbase.Server(sts) as server:
            cloud.proxy.keys["ASIAROLE"] = ("role-secret", "token")
            cloud.proxy.routes["sts"] = ("127.0.0.1", server.port)
            cloud.send(cloud.put("o", [numbered(1)]))
            run = cloud.run("worker", "--once", ROLE_ARN=value)
            equal(run.returncode, 0, run.stderr)
            equal(cloud.sums(), cloud.expected())
            for entry in cloud.proxy.log:
                wanted = "ASIAROLE" if entry["service"] == "s3" and role_reads else ACCESS
                equal(entry["access_key"], wanted, entry["service"])
            equal(sum(e["service"] == "sts" for e in cloud.proxy.log), int(role_reads))
            check("role-secret" not in run.stderr and SECRET not in run.stderr)
    with Cloud() as cloud:
        for value, named in (("arn:aws:iam::1:user/x", "user/x"), ("B_=%s" % ROLE, "B_"),
                            ("%s,%s" % (ROLE, ROLE), "two roles")):
            run = cloud.run("worker", "--once", ROLE_ARN=value)
            equal(run.returncode, 2, run.stderr)
            check(named in run.stderr, run.stderr)


def test_the_role_of_every_command_that_reads_a_bucket():
    url = "s3://" + BUCKET
    for words in (("aggregate", url), ("plan", url), ("report", url, "--output", "csv"),
                  ("enqueue", url, "--all")):
        for value, role_reads in (("%s=%s" % (BUCKET, ROLE), True),
                                  ("other-bucket=%s" % ROLE, False)):
            with Cloud() as cloud, httpbase.Server(sts) as server:
                cloud.proxy.keys["ASIAROLE"] = ("role-secret", "token")
                cloud.proxy.routes["sts"] = ("127.0.0.1", server.port)
                cloud.put("o", [numbered(1)])
                run = cloud.run(*words, ROLE_ARN=value)
                equal(run.returncode, 0, run.stderr)
                keys = {e["access_key"] for e in cloud.proxy.log if e["service"] == "s3"}
                equal(keys, {"ASIAROLE" if role_reads else ACCESS}, words)
                keys = {e["access_key"] for e in cloud.proxy.log if e["service"] != "s3"}
                check(keys <= {ACCESS}, words)


def test_application_profiles_are_resolved():
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/ab12cd34ef56"
    asked = []

    def bedrock(request):
        asked.append(request.target)
        return httpbase.json_response({"inferenceProfileSummaries": [{
            "inferenceProfileArn": arn, "inferenceProfileId": "ab12cd34ef56",
            "inferenceProfileName": "billing-app", "status": "ACTIVE", "type": "APPLICATION",
            "models": [{"modelArn": "arn:aws:bedrock:%s::foundation-model/anthropic.claude-x-v1:0"
                        % region} for region in ("us-east-1", "us-west-2")]}]})

    with Cloud() as cloud, httpbase.Server(bedrock) as server:
        cloud.proxy.routes["bedrock"] = ("127.0.0.1", server.port)
        records = [numbered(1, model=arn)]
        del records[0]["inferenceRegion"]
        key = cloud.put("o", records)
        env = {"METRIC_DIMENSIONS": "InferenceProfileType,InferenceProfile,ModelId"}
        dimensions = ("InferenceProfileType", "InferenceProfile", "ModelId")
        for resolve, wanted in (("true", ("CrossRegion", "billing-app", "anthropic.claude-x-v1:0")),
                                ("false", ("Unknown", "ab12cd34ef56",
                                           "application-inference-profile/ab12cd34ef56"))):
            cloud.cloudwatch.control({"reset": True})
            runtime, log = cloud.invoke(*[sqs_payload([s3_event(key)])] * 2,
                                        RESOLVE_INFERENCE_PROFILES=resolve, **env)
            equal([failures(r) for r in runtime.results], [[], []], log)
            names = {tuple(d[n] for n in dimensions)
                     for _, m, d, _, _ in cloud.cloudwatch.data() if m == "Invocations"}
            equal(names, {wanted}, json.dumps(log[-500:]))
        equal(len(asked), 1, "asked once a process")


def test_profiles_beyond_the_listing_and_tags():
    """One that the listing lacks is asked for once, whatever comes of it; tags where wanted."""
    prefix = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/"
    asked = []

    def profile(name, app):
        return {"inferenceProfileArn": prefix + name, "inferenceProfileId": name,
                "inferenceProfileName": app, "status": "ACTIVE", "type": "APPLICATION",
                "models": [{"modelArn": "arn:aws:bedrock:%s::foundation-model/anthropic.claude-x-v1:0"
                            % region} for region in ("us-east-1", "us-west-2")]}

    def bedrock(request):
        from urllib.parse import unquote
        target = unquote(request.target)
        asked.append(target if not target.endswith("listTagsForResource") else
                     "tags " + json.loads(request.body)["resourceARN"])
        if target.endswith("/listTagsForResource"):
            arn = json.loads(request.body)["resourceARN"]
            return httpbase.json_response({"tags": [{"key": "team", "value": "t-" + arn[-6:]}]})
        if target == "/inference-profiles/" + prefix + "newone000001":
            return httpbase.json_response(profile("newone000001", "new-app"))
        if target.startswith("/inference-profiles/arn:"):
            return httpbase.json_response({"message": "no such profile"}, status=404)
        return httpbase.json_response({"inferenceProfileSummaries":
                                       [profile("listed000001", "listed-app")]})

    with Cloud() as cloud, httpbase.Server(bedrock) as server:
        cloud.proxy.routes["bedrock"] = ("127.0.0.1", server.port)
        for i in range(4):
            cloud.send(cloud.put("o%d" % i, [numbered(3 * i + j, model=prefix + name)
                                             for j, name in enumerate(
                                                 ("listed000001", "newone000001", "gone00000001"))]))
        dimensions = ("InferenceProfile", "ModelId", "Tag:team")
        run = cloud.run("worker", "--once", RESOLVE_INFERENCE_PROFILES="true", BATCH_SIZE="1",
                        METRIC_DIMENSIONS=",".join(dimensions))
        equal(run.returncode, 0, run.stderr)
        found = collections.Counter()
        for _, m, d, _, points in cloud.cloudwatch.data():
            if m == "Invocations":
                found[tuple(d[n] for n in dimensions)] += sum(p["Sum"] for p in points.values())
        equal(dict(found), {
            ("listed-app", "anthropic.claude-x-v1:0", "t-000001"): 4,
            ("new-app", "anthropic.claude-x-v1:0", "t-000001"): 4,
            ("gone00000001", "application-inference-profile/gone00000001", "none"): 4}, run.stderr)
        equal(len([a for a in asked if "newone" in a and a.startswith("/")]), 1, asked)
        equal(len([a for a in asked if "gone" in a]), 1, asked)
        equal(len([a for a in asked if a.startswith("tags")]), 2, asked)
        equal(run.stderr.count("application inference profile cannot be resolved"), 1, run.stderr)
        check("gone00000001" in run.stderr, run.stderr)

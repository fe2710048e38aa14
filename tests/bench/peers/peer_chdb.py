"""ClickHouse in a process (chdb): reads only the members it needs, one thread."""

import json
import os
import sys
import tempfile

import chdb

from classify import print_groups

QUERY = """
SELECT substring(timestamp, 1, 16), modelId, region, inferenceRegion, count(),
       sum(input.inputTokenCount), sum(output.outputTokenCount),
       sum(input.cacheReadInputTokenCount), sum(input.cacheWriteInputTokenCount)
FROM file('{files}', 'JSONEachRow',
    'schemaType String, timestamp String, modelId String, region String,
     inferenceRegion Nullable(String),
     input Tuple(inputTokenCount UInt64, cacheReadInputTokenCount UInt64,
                 cacheWriteInputTokenCount UInt64),
     output Tuple(outputTokenCount UInt64)', 'gzip')
WHERE schemaType = 'ModelInvocationLog'
GROUP BY ALL
SETTINGS max_threads = 1, max_parsing_threads = 1, input_format_parallel_parsing = 0,
    input_format_skip_unknown_fields = 1, input_format_null_as_default = 1,
    input_format_json_ignore_unknown_keys_in_named_tuple = 1,
    input_format_json_defaults_for_missing_elements_in_named_tuple = 1,
    output_format_json_quote_64bit_integers = 0
"""


def main():
    # A list of absolute paths cannot be said in its globs; a folder of links can.
    with tempfile.TemporaryDirectory(prefix="peer-") as folder:
        for number, path in enumerate(sys.argv[1:]):
            os.symlink(os.path.abspath(path), os.path.join(folder, "%d.gz" % number))
        out = str(chdb.query(QUERY.replace("{files}", folder + "/*.gz"), "JSONCompactEachRow"))
    print_groups(json.loads(line) for line in out.splitlines() if line)


main()

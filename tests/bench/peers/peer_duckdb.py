"""DuckDB: reads only the members it needs, one thread."""

import sys

import duckdb

from classify import print_groups

QUERY = """
SELECT "timestamp"[1:16], modelId, region, inferenceRegion, count(*),
       coalesce(sum(input.inputTokenCount), 0), coalesce(sum(output.outputTokenCount), 0),
       coalesce(sum(input.cacheReadInputTokenCount), 0),
       coalesce(sum(input.cacheWriteInputTokenCount), 0)
FROM read_json($files, format = 'newline_delimited', compression = 'gzip', ignore_errors = true,
               maximum_object_size = 67108864, columns = {
    schemaType: 'VARCHAR', "timestamp": 'VARCHAR', modelId: 'VARCHAR', region: 'VARCHAR',
    inferenceRegion: 'VARCHAR',
    input: 'STRUCT(inputTokenCount BIGINT, cacheReadInputTokenCount BIGINT,
                   cacheWriteInputTokenCount BIGINT)',
    output: 'STRUCT(outputTokenCount BIGINT)'})
WHERE schemaType = 'ModelInvocationLog'
GROUP BY ALL
"""


def main():
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    print_groups(connection.execute(QUERY, {"files": sys.argv[1:]}).fetchall())


main()

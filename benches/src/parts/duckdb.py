"""Takes batches of events into DuckDB and makes the detailed report of them; prints one line of JSON with the times.

Arguments: the folder of the batches (tab-separated files), and an empty folder to work in.
"""

import json
import os
import pathlib
import sys
import time

import duckdb

batches, folder = map(pathlib.Path, sys.argv[1:])
settings = {"threads": os.cpu_count(), "memory_limit": "8GB"}
columns = {
    "id": "UUID", "used_at": "TIMESTAMP", "sku": "VARCHAR", "owner": "VARCHAR", "repository": "VARCHAR",
    "username": "VARCHAR", "workflow": "VARCHAR", "quantity": "DECIMAL(18,9)",
}
connection = duckdb.connect(str(folder / "events.duckdb"), config=settings)
declared = ", ".join(f"{name} {kind}" for name, kind in columns.items())
connection.execute(f"CREATE TABLE events ({declared}, PRIMARY KEY (id))")
connection.execute("ATTACH ':memory:' AS memory_only")

ingest = 0
for batch in sorted(batches.iterdir()):
    connection.execute(
        "CREATE OR REPLACE TABLE memory_only.batch AS SELECT * FROM read_csv(?, delim='\t', header=false, auto_detect=false, columns=?)",
        [str(batch), columns],
    )
    began = time.perf_counter()
    connection.execute("INSERT INTO events SELECT * FROM memory_only.batch ON CONFLICT DO NOTHING")
    ingest += time.perf_counter() - began

parquet, report = str(folder / "events.parquet"), str(folder / "report.csv")
connection.execute(f"COPY events TO '{parquet}' (FORMAT parquet)")
keys = "used_at::DATE AS day, sku, owner, repository, username, workflow"
began = time.perf_counter()
connection.execute(
    f"COPY (SELECT {keys}, sum(quantity) FROM '{parquet}' GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6) TO '{report}' (HEADER)"
)
made = time.perf_counter() - began
rows = connection.execute(f"SELECT count(*) FROM (SELECT DISTINCT {keys} FROM events)").fetchone()[0]

print(json.dumps({
    "version": duckdb.__version__,
    "settings": ", ".join(f"{name} {value}" for name, value in settings.items()),
    "ingest_microseconds": round(ingest * 1e6),
    "report_microseconds": round(made * 1e6),
    "rows": rows,
}))

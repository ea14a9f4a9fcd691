// Starts the program under test and stops it.
//
// FORGEMETER_BIN names the program; without it the debug build of this checkout is taken. A program that does not answer within its
// deadline, or that ends by itself, fails the run with what it wrote.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const READY_SECONDS = 180;
const STOP_SECONDS = 30;

const program = process.env.FORGEMETER_BIN ?? fileURLToPath(new URL("../../target/debug/forgemeter", import.meta.url));
const accountsFile = fileURLToPath(new URL("accounts.toml", import.meta.url));

/** A running server: its address, what its first line of output said, and how to stop it. */
async function start(...options) {
  const child = spawn(program, options, { stdio: ["ignore", "pipe", "pipe"] });
  let complaints = "";
  child.stderr.on("data", (data) => (complaints += data));
  const lines = createInterface({ input: child.stdout });
  const waiting = new AbortController();
  const deadline = setTimeout(() => child.kill("SIGKILL"), READY_SECONDS * 1000);
  const firstLine = await Promise.race([
    once(lines, "line", { signal: waiting.signal }).then(([line]) => line),
    once(child, "close", { signal: waiting.signal }).then(([code, signal]) => {
      throw new Error(`forgemeter ${options.join(" ")} ended before it was ready (${code ?? signal}): ${complaints}`);
    }),
  ]).finally(() => {
    clearTimeout(deadline);
    waiting.abort();
  });

  const stop = async () => {
    const tooLate = setTimeout(() => child.kill("SIGKILL"), STOP_SECONDS * 1000);
    const closed = once(child, "close");
    child.kill("SIGTERM");
    const [code, signal] = await closed;
    clearTimeout(tooLate);
    if (code !== 0) throw new Error(`forgemeter ${options[0]} did not stop cleanly (${code ?? signal}): ${complaints}`);
  };
  return { firstLine, stop };
}

/** The demo, with its description of itself. */
export async function startDemo(...options) {
  const { firstLine, stop } = await start("demo", "--json", "--listen", "127.0.0.1:0", ...options);
  return { ...JSON.parse(firstLine), stop };
}

/** A data folder with the accounts of accounts.toml, which vanishes when it is removed. */
export class Folder {
  constructor(now) {
    this.path = mkdtempSync(join(tmpdir(), "forgemeter-"));
    this.now = now;
    execFileSync(program, ["apply", accountsFile, "--data", this.path, "--now", now]);
  }

  token(login, rights) {
    const output = execFileSync(program, ["token", "create", "--data", this.path, "--login", login, ...rights], { encoding: "utf8" });
    return output.trim();
  }

  async serve(...options) {
    const { firstLine, stop } = await start("serve", "--data", this.path, "--listen", "127.0.0.1:0", "--now", this.now, ...options);
    const [, url] = /^listening on (http:\/\/127\.0\.0\.1:\d+)$/.exec(firstLine) ?? [];
    if (!url) throw new Error(`forgemeter serve began with: ${firstLine}`);
    return { url, stop };
  }

  remove() {
    rmSync(this.path, { recursive: true });
  }
}

/** Asks again until the answer is there, within the deadline. */
export async function poll(what, seconds, ask) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${seconds} seconds`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

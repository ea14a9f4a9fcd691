// GitHub's own JavaScript clients against the running program.
//
// Every answer that a client gets here, refusals included, is held against GitHub's description of the operation.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Octokit as Core } from "@octokit/core";
import { Octokit as Rest } from "@octokit/rest";
import { columnTotals, rowsOf } from "./csv.mjs";
import { assertDescribed } from "./openapi.mjs";
import { Folder, poll, startDemo } from "./server.mjs";

const NOW = "2026-11-15T12:00:00Z";
const OCTOBER = { start_date: "2026-10-01", end_date: "2026-10-31" };
const EXPORT_SECONDS = 120;

const REPORTS = "/enterprises/{enterprise}/settings/billing/reports";
const SUMMARY = /\/settings\/billing\/(actions|packages|shared-storage)$/;

const COLUMNS = {
  detailed:
    "date,product,sku,quantity,unit_type,applied_cost_per_quantity,gross_amount,discount_amount,net_amount,username,organization,repository,workflow_path,cost_center_name",
  summarized:
    "date,product,sku,quantity,unit_type,applied_cost_per_quantity,gross_amount,discount_amount,net_amount,organization,repository,cost_center_name",
  premium_request:
    "date,username,product,sku,model,quantity,unit_type,applied_cost_per_quantity,gross_amount,discount_amount,net_amount,exceeds_quota,total_monthly_quota,organization,cost_center_name",
  ai_credit:
    "date,username,product,sku,model,quantity,unit_type,applied_cost_per_quantity,gross_amount,discount_amount,net_amount,total_monthly_quota,organization,repository,cost_center_name,aic_quantity,aic_gross_amount,input,output,cache_read,cache_write",
};

/** A client whose every answer is checked: form by GitHub's description, whole numbers by their text, the log by its words. */
function client(Octokit, url, auth) {
  const refuse = (text) => assert.fail(`the client warns: ${text}`);
  const named = (text) => assert.doesNotMatch(text, /UNKNOWN/, "every answer carries the id of its request");
  const octokit = new Octokit({
    auth,
    baseUrl: url,
    log: { debug() {}, info: named, warn: refuse, error: named },
    request: {
      async fetch(address, options) {
        const answer = await fetch(address, options);
        const text = await answer.clone().text();
        if (answer.status === 200 && SUMMARY.test(address)) assert.doesNotMatch(text, /\d[.eE]/, "whole numbers, written whole");
        assert.equal(answer.headers.get("content-type"), "application/json; charset=utf-8", address);
        return answer;
      },
    },
  });
  octokit.hook.after("request", (response, options) => assertDescribed(options.method, options.url, response.status, response.data));
  octokit.hook.error("request", (error, options) => {
    if (error.response) assertDescribed(options.method, options.url, error.status, error.response.data);
    throw error;
  });
  return octokit;
}

/** What a call was refused with. */
async function refusal(call) {
  const error = await call.then(
    ({ status }) => assert.fail(`answered ${status}`),
    (error) => error,
  );
  assert.ok(error.response, String(error.stack));
  const { message, documentation_url, status } = error.response.data;
  assert.equal(status, String(error.status), "the body repeats the status as text");
  assert.match(documentation_url, /^https:\/\//);
  return { status: error.status, message, documentation_url };
}

/** Those of the calls that are allowed; the others must say that there is nothing. */
async function allowed(names, call) {
  const found = [];
  for (const name of names) {
    const status = await call(name).then(
      (answer) => answer.status,
      (error) => error.status,
    );
    assert.ok([200, 404].includes(status), `${name}: ${status}`);
    if (status === 200) found.push(name);
  }
  return found;
}

function completed(octokit, enterprise, report_id) {
  return poll(`export ${report_id}`, EXPORT_SECONDS, async () => {
    const { data } = await octokit.request(`GET ${REPORTS}/{report_id}`, { enterprise, report_id });
    assert.notEqual(data.status, "failed");
    if (data.status === "completed") return data;
    assert.equal(data.status, "processing");
    assert.ok(!("download_urls" in data), "nothing to download before the export is completed");
    return undefined;
  });
}

async function createExport(octokit, enterprise, report_type, days = OCTOBER) {
  const { status, data } = await octokit.request(`POST ${REPORTS}`, { enterprise, report_type, ...days });
  assert.equal(status, 202);
  assert.equal(data.status, "processing");
  assert.deepEqual({ start_date: data.start_date, end_date: data.end_date }, days);
  return completed(octokit, enterprise, data.id);
}

async function download(urls) {
  const parts = [];
  for (const url of urls) {
    const answer = await fetch(url);
    assert.equal(answer.status, 200, url);
    assert.match(answer.headers.get("content-type"), /^text\/csv/);
    parts.push(await answer.text());
  }
  return parts;
}

describe("octokit and the demo", () => {
  let demo, ownerOf, userIs;
  const as = (role, Octokit = Rest, prefix = "") => client(Octokit, demo.url + prefix, demo.tokens[role]);

  before(async () => {
    demo = await startDemo("--now", NOW);
    const { billing } = as("organization_owner").rest;
    ownerOf = await allowed(demo.organizations, (org) => billing.getGithubActionsBillingOrg({ org }));
    const ofUser = as("user").rest.billing;
    userIs = await allowed(demo.users, (username) => ofUser.getGithubActionsBillingUser({ username }));
  });
  after(() => demo?.stop());

  test("the demo names an enterprise, at least three organizations, its users and one token for each role", () => {
    assert.ok(demo.organizations.length >= 3, String(demo.organizations));
    assert.ok(demo.users.length > 0);
    const roles = ["billing_manager", "enterprise_owner", "member", "organization_owner", "usage_writer", "user"];
    assert.deepEqual(Object.keys(demo.tokens).sort(), roles);
    assert.ok(ownerOf.length > 0, "the organization owner sees an organization");
    assert.equal(userIs.length, 1, "the user sees itself alone");
  });

  test("the typed methods read an organization's minutes, transfer and storage", async () => {
    const { billing } = as("organization_owner").rest;
    const org = ownerOf[0];
    const { data: minutes } = await billing.getGithubActionsBillingOrg({ org });
    const { data: packages } = await billing.getGithubPackagesBillingOrg({ org });
    const { data: storage } = await billing.getSharedStorageBillingOrg({ org });
    const sum = Object.values(minutes.minutes_used_breakdown).reduce((total, each) => total + each, 0);
    assert.ok(minutes.total_minutes_used > 0, "the demo has used minutes this month");
    assert.equal(minutes.total_minutes_used, sum);
    assert.ok(minutes.total_paid_minutes_used <= minutes.total_minutes_used);
    const over = packages.total_gigabytes_bandwidth_used - packages.included_gigabytes_bandwidth;
    assert.equal(packages.total_paid_gigabytes_bandwidth_used, Math.max(0, over));
    assert.equal(storage.days_left_in_billing_cycle, 15);
    assert.ok(storage.estimated_paid_storage_for_month <= storage.estimated_storage_for_month);
  });

  test("the typed methods read a user's minutes, transfer and storage", async () => {
    const { billing } = as("user").rest;
    const username = userIs[0];
    const { data: minutes } = await billing.getGithubActionsBillingUser({ username });
    const { data: packages } = await billing.getGithubPackagesBillingUser({ username });
    const { data: storage } = await billing.getSharedStorageBillingUser({ username });
    assert.ok(minutes.included_minutes >= 2000, "every plan includes minutes");
    assert.ok(packages.included_gigabytes_bandwidth >= 1, "every plan includes transfer");
    assert.equal(storage.days_left_in_billing_cycle, 15);
  });

  test("generic requests read the enterprise's three summaries", async () => {
    const octokit = as("enterprise_owner");
    const { enterprise } = demo;
    const { data } = await octokit.request("GET /enterprises/{enterprise}/settings/billing/actions", { enterprise });
    assert.ok(data.total_minutes_used > 0);
    await octokit.request("GET /enterprises/{enterprise}/settings/billing/packages", { enterprise });
    await octokit.request("GET /enterprises/{enterprise}/settings/billing/shared-storage", { enterprise });
  });

  test("an organization is found whatever the case of its name", async () => {
    const { billing } = as("organization_owner").rest;
    const written = await billing.getGithubActionsBillingOrg({ org: ownerOf[0] });
    const shouted = await billing.getGithubActionsBillingOrg({ org: ownerOf[0].toUpperCase() });
    assert.deepEqual(shouted.data, written.data);
  });

  test("the core client calls all nine operations under /api/v3", async () => {
    const owner = as("organization_owner", Core, "/api/v3");
    const user = as("user", Core, "/api/v3");
    const manager = as("billing_manager", Core, "/api/v3");
    for (const what of ["actions", "packages", "shared-storage"]) {
      await owner.request(`GET /orgs/{org}/settings/billing/${what}`, { org: ownerOf[0] });
      await user.request(`GET /users/{username}/settings/billing/${what}`, { username: userIs[0] });
    }
    const { id } = await createExport(manager, demo.enterprise, "summarized");
    const { data } = await manager.request(`GET ${REPORTS}`, { enterprise: demo.enterprise });
    assert.ok(data.usage_report_exports.some((listed) => listed.id === id));
  });

  for (const [report_type, columns] of Object.entries(COLUMNS)) {
    test(`the ${report_type} report is created, completed and downloaded with GitHub's columns`, async () => {
      const octokit = as("enterprise_owner");
      const { download_urls } = await createExport(octokit, demo.enterprise, report_type);
      for (const part of await download(download_urls)) {
        assert.ok(!part.includes("\r") && part.endsWith("\n"), "lines end with a line feed, the last one too");
        const [header, ...rows] = rowsOf(part);
        assert.equal(header.join(","), columns);
        assert.equal(part.slice(0, part.indexOf("\n")), columns.replace(/[^,]+/g, '"$&"'), "every field is in quotes");
        assert.ok(rows.length > 0, "the demo has used something of it in October");
        for (const row of rows) assert.equal(row.length, header.length, row.join(","));
        assert.ok(rows.every(([date]) => date >= OCTOBER.start_date && date <= OCTOBER.end_date));
      }
    });
  }

  test("the detailed and the summarized report have the same totals to the last digit, and gross − discount = net in every row", async () => {
    const octokit = as("enterprise_owner");
    const totals = [];
    for (const report_type of ["detailed", "summarized"]) {
      const { download_urls } = await createExport(octokit, demo.enterprise, report_type);
      totals.push(columnTotals(await download(download_urls), ["quantity", "gross_amount", "discount_amount", "net_amount"]));
    }
    assert.deepEqual(totals[0], totals[1]);
    assert.ok(totals[0].gross_amount > 0n);
  });

  test("the list shows the newest export first and nothing that was not asked for", async () => {
    const octokit = as("enterprise_owner");
    const first = await createExport(octokit, demo.enterprise, "summarized");
    const second = await createExport(octokit, demo.enterprise, "summarized");
    const { data } = await octokit.request(`GET ${REPORTS}`, { enterprise: demo.enterprise });
    assert.deepEqual(Object.keys(data), ["usage_report_exports"]);
    const ids = data.usage_report_exports.map((listed) => listed.id);
    assert.deepEqual(ids.slice(0, 2), [second.id, first.id]);
    const instants = data.usage_report_exports.map((listed) => listed.created_at);
    assert.deepEqual(instants, instants.toSorted().toReversed());
  });

  test("an export made twice is the same file", async () => {
    const octokit = as("enterprise_owner");
    const first = await createExport(octokit, demo.enterprise, "detailed");
    const second = await createExport(octokit, demo.enterprise, "detailed");
    assert.deepEqual(await download(second.download_urls), await download(first.download_urls));
  });

  test("a download answers HEAD and Range, and refuses a link without its signature, with another one, or beside a token", async () => {
    const { download_urls } = await createExport(as("enterprise_owner"), demo.enterprise, "summarized");
    const [url] = download_urls;
    const whole = Buffer.from(await (await fetch(url)).arrayBuffer());
    const head = await fetch(url, { method: "HEAD" });
    assert.equal(head.status, 200);
    assert.equal(Number(head.headers.get("content-length")), whole.length);
    assert.equal((await head.arrayBuffer()).byteLength, 0);
    const part = await fetch(url, { headers: { range: "bytes=10-29" } });
    assert.equal(part.status, 206);
    assert.equal(part.headers.get("content-range"), `bytes 10-29/${whole.length}`);
    assert.deepEqual(Buffer.from(await part.arrayBuffer()), whole.subarray(10, 30));

    const last = url.at(-1);
    const forged = url.slice(0, -1) + (last === "0" ? "1" : "0");
    const bearer = { authorization: `Bearer ${demo.tokens.enterprise_owner}` };
    const expected = [
      [forged, {}, 403],
      [url.split("?")[0], {}, 403],
      [url, bearer, 400],
      [forged, bearer, 400],
    ];
    for (const [link, headers, status] of expected) {
      const answer = await fetch(link, { headers });
      assert.equal(answer.status, status, `${link} with ${Object.keys(headers)}`);
      assert.doesNotMatch(await answer.text(), /"date"/);
    }
  });
});

describe("octokit is refused", () => {
  let folder, server;
  const as = (token, prefix = "") => client(Rest, server.url + prefix, token);
  const tokenOf = (login, ...rights) => folder.token(login, rights);

  before(async () => {
    folder = new Folder(NOW);
    server = await folder.serve();
  });
  after(async () => {
    await server?.stop();
    folder?.remove();
  });

  test("without a token with 401 `Requires authentication`", async () => {
    for (const url of ["GET /orgs/octo-org/settings/billing/actions", "GET /users/mona/settings/billing/packages", "GET /enterprises/acme/settings/billing/reports"]) {
      const { status, message, documentation_url } = await refusal(client(Rest, server.url).request(...described(url)));
      assert.deepEqual([status, message], [401, "Requires authentication"]);
      assert.equal(documentation_url, "https://docs.github.com/rest");
    }
  });

  test("with a wrong token with 401 `Bad credentials`", async () => {
    const { status, message } = await refusal(as("fmt_0000000000000000000000000000000000000000").rest.billing.getGithubActionsBillingOrg({ org: "octo-org" }));
    assert.deepEqual([status, message], [401, "Bad credentials"]);
  });

  test("with 404 where it may not know, or where there is nothing", async () => {
    const mona = as(tokenOf("mona", "--scopes", "repo,user,manage_billing:enterprise"));
    const withoutScope = as(tokenOf("mona", "--scopes", "usage:write"));
    const { billing } = mona.rest;
    const calls = {
      "an unknown organization": () => billing.getGithubActionsBillingOrg({ org: "no-such-org" }),
      "a foreign organization": () => billing.getGithubPackagesBillingOrg({ org: "umbrella-labs" }),
      "another user": () => billing.getSharedStorageBillingUser({ username: "hubot" }),
      "a foreign enterprise": () => mona.request(`GET ${REPORTS}`, { enterprise: "umbrella" }),
      "an unknown enterprise": () => mona.request(`POST ${REPORTS}`, { enterprise: "no-such", report_type: "detailed", ...OCTOBER }),
      "an unknown report": () => mona.request(`GET ${REPORTS}/{report_id}`, { enterprise: "acme", report_id: "a1b2c3d4-e5f6-4890-abcd-ef1234567890" }),
      "a report id that is none": () => mona.request(`GET ${REPORTS}/{report_id}`, { enterprise: "acme", report_id: "1234" }),
      "a classic token without the scope, organization": () => withoutScope.rest.billing.getGithubActionsBillingOrg({ org: "octo-org" }),
      "a classic token without the scope, user": () => withoutScope.rest.billing.getGithubActionsBillingUser({ username: "mona" }),
      "a classic token without the scope, enterprise": () => withoutScope.request(`GET ${REPORTS}`, { enterprise: "acme" }),
    };
    for (const [what, call] of Object.entries(calls)) {
      const { status, message } = await refusal(call());
      assert.deepEqual([status, message], [404, "Not Found"], what);
    }
  });

  test("with 403 on the enterprise's routes when it is a member without the role", async () => {
    const sam = as(tokenOf("sam", "--scopes", "repo,manage_billing:enterprise"));
    for (const route of [`GET ${REPORTS}`, "GET /enterprises/{enterprise}/settings/billing/actions"]) {
      assert.equal((await refusal(sam.request(route, { enterprise: "acme" }))).status, 403, route);
    }
    const ofOrganization = await refusal(sam.rest.billing.getGithubActionsBillingOrg({ org: "octo-org" }));
    assert.equal(ofOrganization.status, 404, "an organization's billing stays hidden from its members");
  });

  test("with 403 when a fine-grained token lacks the permission", async () => {
    const plan = as(tokenOf("mona", "--permissions", "plan:read"));
    const { status, message } = await refusal(plan.rest.billing.getGithubActionsBillingOrg({ org: "octo-org" }));
    assert.deepEqual([status, message], [403, "Resource not accessible by personal access token"]);
    assert.equal((await plan.rest.billing.getGithubActionsBillingUser({ username: "mona" })).status, 200);
    const organization = as(tokenOf("mona", "--permissions", "organization_administration:read"));
    assert.equal((await organization.rest.billing.getGithubActionsBillingOrg({ org: "octo-org" })).status, 200);
    assert.equal((await refusal(organization.request(`GET ${REPORTS}`, { enterprise: "acme" }))).status, 403);
    const enterprise = as(tokenOf("mona", "--permissions", "enterprise_administration:write"));
    assert.equal((await enterprise.request(`GET ${REPORTS}`, { enterprise: "acme" })).status, 200);
  });

  test("with 400 for every bad body of an export", async () => {
    const lisa = as(tokenOf("lisa", "--scopes", "manage_billing:enterprise"));
    const bodies = {
      "no report type": OCTOBER,
      "an unknown report type": { report_type: "weekly", ...OCTOBER },
      "no start": { report_type: "detailed" },
      "a start that is no date": { report_type: "detailed", start_date: "01.10.2026" },
      "a day that does not exist": { report_type: "detailed", start_date: "2026-09-31" },
      "an end before the start": { report_type: "detailed", start_date: "2026-10-31", end_date: "2026-10-01" },
      "a start in the future": { report_type: "detailed", start_date: "2026-12-01", end_date: "2026-12-02" },
      "32 days of a detailed report": { report_type: "detailed", start_date: "2026-10-01", end_date: "2026-11-01" },
      "32 days of premium requests": { report_type: "premium_request", start_date: "2026-10-01", end_date: "2026-11-01" },
      "32 days of AI credits": { report_type: "ai_credit", start_date: "2026-10-01", end_date: "2026-11-01" },
      "two years of a summary": { report_type: "summarized", start_date: "2024-11-01", end_date: "2026-10-31" },
      "a number as report type": { report_type: 7, ...OCTOBER },
      "a text as wish for mail": { report_type: "detailed", ...OCTOBER, send_email: "yes" },
    };
    for (const [what, body] of Object.entries(bodies)) {
      const { status, message } = await refusal(lisa.request(`POST ${REPORTS}`, { enterprise: "acme", ...body }));
      assert.equal(status, 400, what);
      assert.ok(message.length > 0, what);
    }
    const { data } = await lisa.request(`GET ${REPORTS}`, { enterprise: "acme" });
    assert.deepEqual(data.usage_report_exports, [], "a refused body leaves no export");
  });

  test("with 400 for a version of the API that does not exist", async () => {
    const mona = as(tokenOf("mona", "--scopes", "repo"));
    const headers = { "x-github-api-version": "2019-01-01" };
    const { status, message } = await refusal(mona.rest.billing.getGithubActionsBillingOrg({ org: "octo-org", headers }));
    assert.deepEqual([status, message], [400, "Bad Request"]);
    const answer = await mona.rest.billing.getGithubActionsBillingOrg({ org: "octo-org", headers: { "x-github-api-version": "2026-03-10" } });
    assert.equal(answer.headers["x-github-api-version-selected"], "2026-03-10");
  });

  test("with 410 by a server that answers as GitHub does today, which still makes reports", async () => {
    const retired = new Folder(NOW);
    const rights = ["--scopes", "repo,user,manage_billing:enterprise"];
    const token = retired.token("mona", rights);
    const today = await retired.serve("--retired-endpoints", "410");
    try {
      const octokit = client(Rest, today.url, token);
      const { billing } = octokit.rest;
      const addresses = {
        "https://gh.io/billing-api-updates-org": [
          () => billing.getGithubActionsBillingOrg({ org: "octo-org" }),
          () => billing.getGithubPackagesBillingOrg({ org: "octo-org" }),
          () => billing.getSharedStorageBillingOrg({ org: "octo-org" }),
        ],
        "https://gh.io/billing-api-updates-user": [
          () => billing.getGithubActionsBillingUser({ username: "mona" }),
          () => billing.getGithubPackagesBillingUser({ username: "mona" }),
          () => billing.getSharedStorageBillingUser({ username: "mona" }),
        ],
      };
      for (const [documentation_url, calls] of Object.entries(addresses)) {
        for (const call of calls) {
          assert.deepEqual(await refusal(call()), { status: 410, message: "This endpoint has been moved.", documentation_url });
        }
      }
      const ofEnterprise = await refusal(octokit.request("GET /enterprises/{enterprise}/settings/billing/actions", { enterprise: "acme" }));
      assert.equal(ofEnterprise.status, 410);
      assert.equal((await createExport(octokit, "acme", "detailed")).actor, "mona");
    } finally {
      await today.stop();
      retired.remove();
    }
  });
});

/** A concrete address as the route that GitHub describes, and its parameters. */
function described(request) {
  const [, method, kind, name, rest] = /^(\w+) \/(\w+)\/([\w-]+)(\/.*)$/.exec(request);
  const parameter = { orgs: "org", users: "username", enterprises: "enterprise" }[kind];
  return [`${method} /${kind}/{${parameter}}${rest}`, { [parameter]: name }];
}

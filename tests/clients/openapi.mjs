// GitHub's own description of its API, as the judge of every answer.
//
// The operations were described at different times: the retired summaries last in release 21 of the description, the report exports
// first in release 23. Only the files that are needed are read; each has more than 10 MB.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import Ajv from "ajv";
import addFormats from "ajv-formats";

const ajv = new Ajv({ strict: false, allErrors: true });
addFormats(ajv);
const descriptions = new Map();

/** The description that knows an operation, by the path of its route. */
function descriptionOf(route) {
  if (route.endsWith("/reports") || route.endsWith("/reports/{report_id}")) return description("openapi-23", "ghec");
  return description("openapi-21", route.startsWith("/enterprises/") ? "ghec" : "api.github.com");
}

function description(release, product) {
  const id = `${release}-${product}`;
  if (!descriptions.has(id)) {
    const file = new URL(`node_modules/${release}/generated/${product}.json`, import.meta.url);
    const document = JSON.parse(readFileSync(file, "utf8"));
    ajv.addSchema(document, id, false, false);
    descriptions.set(id, document);
  }
  return { id, document: descriptions.get(id) };
}

/** What `#/a/b` points at. */
function pointedAt(document, pointer) {
  const parts = decodeURIComponent(pointer).split("/").slice(1);
  return parts.reduce((value, part) => value[part.replaceAll("~1", "/").replaceAll("~0", "~")], document);
}

/** Where the schema of an answer stands in its description. A refusal that an operation does not mention is a basic error. */
function pointerToSchema(document, method, route, status) {
  const responses = document.paths[route]?.[method.toLowerCase()]?.responses;
  assert.ok(responses, `GitHub describes ${method} ${route}`);
  if (!(status in responses)) {
    assert.ok(status >= 400, `GitHub describes no ${status} of ${method} ${route}`);
    return "#/components/schemas/basic-error";
  }
  const answer = `#/paths/${encodeURIComponent(route.replaceAll("/", "~1"))}/${method.toLowerCase()}/responses/${status}`;
  return `${responses[status].$ref ?? answer}/content/application~1json/schema`;
}

/** Keys that the schema does not name. The runner sizes are an open list: GitHub's own answers went past it. */
function unknownKeys(document, schema, value, path = "") {
  if (schema.$ref) return unknownKeys(document, pointedAt(document, schema.$ref), value, path);
  if (Array.isArray(value)) return value.flatMap((item, index) => unknownKeys(document, schema.items ?? {}, item, `${path}/${index}`));
  if (value === null || typeof value !== "object" || !schema.properties) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const known = schema.properties[key];
    if (!known) return path === "/minutes_used_breakdown" ? [] : [`${path}/${key}`];
    return unknownKeys(document, known, inner, `${path}/${key}`);
  });
}

/** Fails unless GitHub's description allows this answer, and, for a success, unless it names every key of it. */
export function assertDescribed(method, route, status, body) {
  const { id, document } = descriptionOf(route);
  const pointer = pointerToSchema(document, method, route, status);
  const validate = ajv.getSchema(id + pointer) ?? ajv.compile({ $ref: id + pointer });
  assert.ok(validate(body), `${method} ${route} ${status}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(body)}`);
  if (status < 400) assert.deepEqual(unknownKeys(document, pointedAt(document, pointer), body), [], `${method} ${route} ${status}`);
}

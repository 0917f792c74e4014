// Turns the types that vendors publish with their clients into JSON schemas: `node schemas.mjs <file>`.
//
// E2B's package carries its whole API description as types that refer to themselves, which the generator cannot follow;
// they are laid out flat first, one type per schema, and the table of paths is read off beside them.
import { readFileSync, writeFileSync } from "node:fs";
import { createGenerator } from "ts-json-schema-generator";
import ts from "typescript";

const METHODS = ["get", "put", "post", "delete", "patch"];
const written = {};

for (const vendor of ["Anthropic", "AnthropicBeta", "Resend"]) written[vendor] = schema("schemas.ts", vendor);
written.PostHog = schema("schemas.ts", "PostHog", "none"); // two of its types share a name
written.E2B = e2b();
writeFileSync(process.argv[2], JSON.stringify(written));

function schema(path, type, expose = "all") {
  return createGenerator({
    path, type, expose, topRef: false, skipTypeCheck: true, jsDoc: "extended", tsconfig: "tsconfig.json",
    additionalProperties: false,
  }).createSchema(type);
}

function e2b() {
  const file = "node_modules/e2b/dist/index.d.ts";
  const source = ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.Latest, true);
  const declared = (name) => source.statements.find((one) => ts.isInterfaceDeclaration(one) && one.name.text === name);
  const components = members(declared("components"));
  const responses = members(components.responses.type);
  const lines = Object.entries(members(components.schemas.type)).map(
    ([name, member]) => `export type schemas_${name} = ${flat(member.type)};`,
  );
  const contract = [];
  const operations = [];
  const body = (key, holder) => {
    const found = holder && members(holder).content;
    const json = found && members(found.type)["application/json"];
    if (json) contract.push(`  ${JSON.stringify(key)}: ${flat(json.type)};`);
    return Boolean(json);
  };
  for (const [path, one] of Object.entries(members(declared("paths")))) {
    for (const method of METHODS) {
      const parts = one.type && members(one.type)[method];
      if (!parts || !ts.isTypeLiteralNode(parts.type)) continue; // `post?: never`
      const { requestBody, responses: replies } = members(parts.type);
      const name = `${method.toUpperCase()} ${path}`;
      operations.push({
        name,
        request: body(`${name} request`, requestBody && ts.isTypeLiteralNode(requestBody.type) ? requestBody.type : null),
        needed: Boolean(requestBody) && !requestBody.questionToken,
        replies: Object.fromEntries(Object.entries(members(replies.type)).map(([status, reply]) => {
          const shared = /^components\["responses"\]\["(\w+)"\]$/.exec(reply.type.getText());
          return [status, body(`${name} ${status}`, shared ? responses[shared[1]].type : reply.type)];
        })),
      });
    }
  }
  writeFileSync("e2b-flat.ts", [...lines, "export interface E2B {", ...contract, "  error: schemas_Error;", "}"].join("\n"));
  return { schema: schema("e2b-flat.ts", "E2B"), operations };
}

function members(node) {
  const named = (node.members ?? []).filter((one) => one.name); // `never` has none
  return Object.fromEntries(named.map((one) => [one.name.text, one]));
}

function flat(type) {
  return type.getText().replace(/components\["schemas"\]\["(\w+)"\]/g, "schemas_$1").replace(/\* Format: /g, "* @format ");
}

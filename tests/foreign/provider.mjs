// A sign-in provider that knows nothing of Causeway: npm oidc-provider, with a bare login form.
//
// Reads one JSON object from standard input: port, gateway, residents and officers (client ids).
// Prints one line when it serves, and ends when standard input is closed.

import { createServer } from "node:http";
import { createInterface } from "node:readline";
import * as jose from "jose";
import Provider from "oidc-provider";

const LEVELS = ["low", "substantial", "high"].map((name) => `http://eidas.europa.eu/LoA/${name}`);

async function signingKey() {
  const { privateKey } = await jose.generateKeyPair("ES256", { extractable: true });
  return { ...(await jose.exportJWK(privateKey)), kid: "foreign", use: "sig", alg: "ES256" };
}

function client(told, id, prefix) {
  return {
    client_id: id,
    redirect_uris: [`${told.gateway}${prefix}/login/callback`],
    post_logout_redirect_uris: [`${told.gateway}/`],
    response_types: ["code"],
    grant_types: ["authorization_code"],
    token_endpoint_auth_method: "private_key_jwt",
    token_endpoint_auth_signing_alg: "ES256",
    id_token_signed_response_alg: "ES256",
    jwks_uri: `${told.gateway}/login/keys`,
    backchannel_logout_uri: `${told.gateway}${prefix}/backchannel-logout`,
    backchannel_logout_session_required: true,
  };
}

function account(ctx, id) {
  const roles = id.startsWith("officer") ? ["privacy-officer"] : [];
  return { accountId: id, claims: () => ({ sub: id, resident_number: id, roles }) };
}

async function configuration(told) {
  return {
    clients: [client(told, told.residents, ""), client(told, told.officers, "/officer")],
    jwks: { keys: [await signingKey()] },
    cookies: { keys: ["for tests alone"] },
    acrValues: LEVELS,
    claims: { openid: ["sub"], person: ["resident_number", "roles"] },
    features: {
      devInteractions: { enabled: false },
      claimsParameter: { enabled: true },
      backchannelLogout: { enabled: true },
    },
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    pkce: { required: () => true },
    findAccount: account,
    // Here the client is on this machine, which its own guard of outgoing requests forbids.
    fetch: (url, options) => globalThis.fetch(url, { ...options, dispatcher: undefined }),
  };
}

async function body(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return new URLSearchParams(Buffer.concat(chunks).toString());
}

async function interact(provider, request, response) {
  const details = await provider.interactionDetails(request, response);
  if (request.method === "GET") {
    response.setHeader("content-type", "text/html");
    response.end('<form method="post"><input name="person"><input name="level"></form>');
    return;
  }
  const form = await body(request);
  const accountId = form.get("person");
  const grant = new provider.Grant({ accountId, clientId: details.params.client_id });
  grant.addOIDCScope("openid");
  grant.addOIDCClaims(["acr", "auth_time", "resident_number", "roles"]);
  const login = { accountId, acr: `http://eidas.europa.eu/LoA/${form.get("level")}` };
  const consent = { grantId: await grant.save() };
  await provider.interactionFinished(request, response, { login, consent });
}

async function main() {
  const lines = createInterface({ input: process.stdin });
  const { value } = await lines[Symbol.asyncIterator]().next();
  const told = JSON.parse(value);
  const provider = new Provider(`http://127.0.0.1:${told.port}`, await configuration(told));
  const answer = provider.callback();
  const server = createServer((request, response) => {
    if (!request.url.startsWith("/interaction/")) return answer(request, response);
    return interact(provider, request, response).catch((error) => {
      console.error(error);
      response.statusCode = 500;
      response.end();
    });
  });
  provider.on("server_error", (ctx, error) => console.error(error));
  provider.on("authorization.error", (ctx, error) => console.error(error));
  provider.on("grant.error", (ctx, error) => console.error(error));
  provider.on("backchannel.error", (ctx, error) => console.error(error));
  server.listen(told.port, "127.0.0.1", () => console.log("ready"));
  lines.on("close", () => process.exit(0));
}

await main();

// One governed exchange by libraries that know nothing of Causeway: oauth4webapi for discovery,
// token and proof of possession, jose for the seal and the receipt.
//
// Reads one JSON object from standard input: gateway, client_id, client_key and seal_key (private
// JWKs), question (the body of POST /v1/exchanges). Prints one JSON object.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import * as jose from "jose";
import * as oauth from "oauth4webapi";

const told = JSON.parse(readFileSync(0, "utf8"));
const gateway = new URL(told.gateway);
const options = { [oauth.allowInsecureRequests]: gateway.hostname === "127.0.0.1" };

async function discover() {
  const server = await oauth.discoveryRequest(gateway, { algorithm: "oauth2", ...options });
  const resource = await oauth.resourceDiscoveryRequest(gateway, options);
  return {
    server: await oauth.processDiscoveryResponse(gateway, server),
    resource: await oauth.processResourceDiscoveryResponse(gateway, resource),
  };
}

async function getToken(server, client, proof) {
  const key = await jose.importJWK(told.client_key, "ES256");
  const authentication = oauth.PrivateKeyJwt({ key, kid: told.client_key.kid });
  const response = await oauth.clientCredentialsGrantRequest(
    server,
    client,
    authentication,
    new URLSearchParams({ scope: "exchange.request" }),
    { DPoP: proof, ...options },
  );
  return oauth.processClientCredentialsResponse(server, client, response);
}

async function ask(resource, token, proof) {
  const response = await oauth.protectedResourceRequest(
    token.access_token,
    "POST",
    new URL("/v1/exchanges", resource.resource),
    new Headers({ "content-type": "application/json" }),
    JSON.stringify(told.question),
    { DPoP: proof, ...options },
  );
  if (response.status !== 200) {
    throw new Error(`the gateway refused: ${await response.text()}`);
  }
  return response.json();
}

async function openSeal(sealed) {
  const key = await jose.importJWK(told.seal_key, "ECDH-ES+A256KW");
  const { plaintext, protectedHeader } = await jose.compactDecrypt(sealed, key, {
    keyManagementAlgorithms: ["ECDH-ES+A256KW"],
    contentEncryptionAlgorithms: ["A256GCM"],
  });
  return { header: protectedHeader, opened: JSON.parse(new TextDecoder().decode(plaintext)) };
}

async function checkReceipt(receipt, issuer, sealed) {
  const keys = jose.createRemoteJWKSet(new URL("/v1/receipts/keys", gateway));
  const { payload, protectedHeader } = await jose.jwtVerify(receipt, keys, {
    algorithms: ["EdDSA"],
    audience: told.client_id,
    issuer,
    typ: "causeway-receipt+jwt",
  });
  const digest = createHash("sha256").update(sealed, "ascii").digest("base64url");
  if (payload.sealed_sha256 !== digest) {
    throw new Error("the receipt speaks of another sealed text");
  }
  return { header: protectedHeader, claims: payload };
}

const client = { client_id: told.client_id };
const proof = oauth.DPoP(client, await oauth.generateKeyPair("ES256"));
const { server, resource } = await discover();
const token = await getToken(server, client, proof);
const answer = await ask(resource, token, proof);
const seal = await openSeal(answer.sealed);
const receipt = await checkReceipt(answer.receipt, server.issuer, answer.sealed);
process.stdout.write(
  JSON.stringify({
    token_type: token.token_type,
    exchange: answer.exchange,
    withheld: answer.withheld,
    seal,
    receipt,
  }),
);

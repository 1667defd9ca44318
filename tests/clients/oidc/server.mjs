// oidc-provider, a certified OAuth server, behind TLS; and an API that takes the
// tokens which it has issued, as long as they hold.
//
// What it was asked and what it thought of it is told at /stats.

import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, request as httpsRequest } from 'node:https';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const {
  MODULES, CERTIFICATE, CERTIFICATE_KEY, AUTHORITY, CLIENTS, ASSERTION_KEY, LIFE,
} = process.env;
const { resolve } = createRequire(`${MODULES}/`);
const load = (name) => import(pathToFileURL(resolve(name)));
const { default: Provider, errors } = await load('oidc-provider');
const { jwtVerify } = await load('jose');

const server = createServer({
  cert: readFileSync(CERTIFICATE),
  key: readFileSync(CERTIFICATE_KEY),
  ca: readFileSync(AUTHORITY),
  // Who shows none is told so by the server, if it matters.
  requestCert: true,
  rejectUnauthorized: false,
});
await new Promise((ready) => { server.listen(0, '127.0.0.1', ready); });
const { port } = server.address();

// A client's public key is given as PEM.
const clients = JSON.parse(CLIENTS).map(({ public_key: pem, ...client }) => {
  if (!pem) return client;
  return { ...client, jwks: { keys: [createPublicKey(pem).export({ format: 'jwk' })] } };
});

const life = Number(LIFE);
const issuer = `https://localhost:${port}`;
const provider = new Provider(issuer, {
  clients,
  clientAuthMethods: [
    'client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt',
    'tls_client_auth', 'none',
  ],
  scopes: ['openid', 'offline_access', 'orders.read'],
  ttl: { AccessToken: life, ClientCredentials: life },
  rotateRefreshToken: true,
  conformIdTokenClaims: false,
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    mTLS: {
      enabled: true,
      tlsClientAuth: true,
      getCertificate: (ctx) => ctx.socket.getPeerX509Certificate(),
      certificateAuthorized: (ctx) => ctx.socket.authorized,
      certificateSubjectMatches: (ctx, property, expected) => (
        property === 'tls_client_auth_subject_dn'
          && ctx.socket.getPeerX509Certificate().subject === expected
      ),
    },
  },
  findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
});

// RFC 7523 §2.1 and §3: whom the assertion is from and for, and until when.
const assertionKey = createPublicKey(ASSERTION_KEY);
provider.registerGrantType('urn:ietf:params:oauth:grant-type:jwt-bearer', async (ctx) => {
  const { client, params: { assertion } } = ctx.oidc;
  const demands = {
    issuer: 'service',
    subject: 'ann',
    audience: `${issuer}/token`,
    requiredClaims: ['iat', 'exp'],
  };
  await jwtVerify(assertion, assertionKey, demands).catch((error) => {
    throw new errors.InvalidGrant(error.message);
  });
  const token = new provider.ClientCredentials({ client });
  ctx.body = { access_token: await token.save(), expires_in: token.expiration, token_type: 'Bearer' };
}, ['assertion']);

// RFC 8693 §2: a token that another client has been given, for one of whoever asks.
const accessToken = 'urn:ietf:params:oauth:token-type:access_token';
provider.registerGrantType('urn:ietf:params:oauth:grant-type:token-exchange', async (ctx) => {
  const { client, params } = ctx.oidc;
  if (params.subject_token_type !== accessToken) {
    throw new errors.InvalidRequest('the subject token is of another type');
  }
  const subject = await provider.AccessToken.find(params.subject_token);
  if (!subject || subject.isExpired || subject.clientId === client.clientId) {
    throw new errors.InvalidRequest('the subject token is not good');
  }
  if (params.audience !== 'orders') throw new errors.InvalidTarget('no such audience');
  const token = new provider.ClientCredentials({ client, scope: params.scope });
  ctx.body = {
    access_token: await token.save(),
    issued_token_type: accessToken,
    expires_in: token.expiration,
    scope: token.scope,
    token_type: 'Bearer',
  };
}, ['subject_token', 'subject_token_type', 'audience', 'scope']);

const stats = { granted: {}, refused: [], revoked: 0, late: 0, calls: 0 };
provider.on('grant.success', (ctx) => {
  const { clientId } = ctx.oidc.client;
  stats.granted[clientId] = (stats.granted[clientId] ?? 0) + 1;
});
// The description says what the code keeps from strangers.
provider.on('grant.error', (_, error) => {
  stats.refused.push(`${error.error}: ${error.error_detail ?? error.error_description}`);
});
provider.on('grant.revoked', () => { stats.revoked += 1; });

// As somebody has obtained it in a browser.
async function seed(clientId) {
  const client = await provider.Client.find(clientId);
  const grant = new provider.Grant({ accountId: 'ann', clientId });
  grant.addOIDCScope('openid offline_access');
  const refreshToken = new provider.RefreshToken({
    accountId: 'ann',
    client,
    grantId: await grant.save(),
    gty: 'authorization_code',
    scope: 'openid offline_access',
  });
  return refreshToken.save();
}

// As another client of the same provider has it.
async function subject(clientId) {
  const client = await provider.Client.find(clientId);
  const token = new provider.AccessToken({
    accountId: 'ann', client, expiresIn: 3600, scope: 'orders.read',
  });
  return token.save();
}

const ended = new Map();
for (const kind of ['access_token', 'client_credentials']) {
  provider.on(`${kind}.saved`, (token) => { ended.set(token.jti, token.exp); });
}

async function call(authorization) {
  stats.calls += 1;
  const value = authorization?.replace(/^Bearer /u, '');
  const token = await provider.AccessToken.find(value)
    ?? await provider.ClientCredentials.find(value);
  if (token && !token.isExpired) {
    return [200, { client: token.clientId, scope: token.scope }];
  }
  if (ended.get(value) <= Date.now() / 1000) stats.late += 1;
  return [401, { error: 'invalid_token' }];
}

// What somebody does who has stolen a client's secret and its first refresh token.
function steal(query) {
  const client = clients.find((each) => each.client_id === query.get('client'));
  const basic = [client.client_id, client.client_secret].map(encodeURIComponent).join(':');
  const options = {
    host: '127.0.0.1',
    port,
    path: '/token',
    method: 'POST',
    rejectUnauthorized: false,
    headers: {
      authorization: `Basic ${Buffer.from(basic).toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
    },
  };
  const form = { grant_type: 'refresh_token', refresh_token: query.get('token') };
  return new Promise((told) => {
    const sent = httpsRequest(options, (answer) => {
      answer.resume().on('end', () => told([200, { status: answer.statusCode }]));
    });
    sent.end(new URLSearchParams(form).toString());
  });
}

const callback = provider.callback();
server.on('request', async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'https://localhost');
  let answer;
  if (pathname === '/stats') answer = [200, stats];
  else if (pathname === '/seed') answer = [200, { token: await seed(searchParams.get('client')) }];
  else if (pathname === '/subject') answer = [200, { token: await subject(searchParams.get('client')) }];
  else if (pathname === '/steal') answer = await steal(searchParams);
  else if (pathname.startsWith('/api/')) answer = await call(request.headers.authorization);
  else {
    callback(request, response);
    return;
  }
  const [status, body] = answer;
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': text.length });
  response.end(text);
});

console.log('port', port);

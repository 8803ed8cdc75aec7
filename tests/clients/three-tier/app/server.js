// Notes in PostgreSQL: GET /notes, POST /notes; GET /whoami says which of the application's containers answers. PGHOST, PGUSER and PGPASSWORD are node-pg's own.
'use strict';
const http = require('http');
const os = require('os');
const { Pool } = require('pg');

const pool = new Pool({ database: 'postgres', max: 4 });
// A connection that the database ended: the next query makes another.
pool.on('error', (e) => console.error(`database: ${e.message}`));

async function body(request) {
  let text = '';
  for await (const piece of request) text += piece;
  return text;
}

const routes = {
  'GET /whoami': async () => ({ host: os.hostname() }),
  'GET /notes': async () => (await pool.query('SELECT id, text FROM notes ORDER BY id')).rows,
  'POST /notes': async (request) => (await pool.query('INSERT INTO notes (text, host) VALUES ($1, $2) RETURNING id', [await body(request), os.hostname()])).rows[0],
};

const server = http.createServer(async (request, response) => {
  const say = (status, what) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify(what)}\n`);
  };
  const route = routes[`${request.method} ${request.url}`];
  try {
    if (route) say(200, await route(request));
    else say(404, { error: 'no such page' });
  } catch (e) {
    say(500, { error: e.message });
  }
});

async function main() {
  // Several begin at once: one of them makes the table.
  await pool.query('BEGIN; SELECT pg_advisory_xact_lock(1); CREATE TABLE IF NOT EXISTS notes (id serial PRIMARY KEY, text text NOT NULL, host text NOT NULL); COMMIT');
  server.listen(3000, () => console.log(`${os.hostname()} listens`));
}

main().catch((e) => {
  console.error(e);
  process.exit(1);
});

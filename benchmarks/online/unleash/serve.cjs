// node serve.cjs PORT SOCKET_FOLDER DATABASE: Unleash's server on loopback.
const { start } = require("unleash-server");

const [port, host, database] = process.argv.slice(2);

start({
  db: { user: "postgres", password: "", host, port: 5432, database, ssl: false },
  server: { port: Number(port), host: "127.0.0.1" },
  logLevel: "error",
  versionCheck: { enable: false },
}).catch((error) => {
  console.error(error);
  process.exit(1);
});

const { defineConfig } = require("@medusajs/framework/utils");

module.exports = defineConfig({
  admin: { disable: true },
  projectConfig: {
    databaseUrl: process.env.DATABASE_URL,
    databaseDriverOptions: { connection: { ssl: false } },
    http: {
      jwtSecret: "live tests",
      cookieSecret: "live tests",
      storeCors: "http://localhost",
      adminCors: "http://localhost",
      authCors: "http://localhost",
    },
  },
});

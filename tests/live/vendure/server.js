"use strict";
// Started by platform.py in the directory of the installed packages: node server.js <port> <token methods>. Its database is in memory.
const { createRequire } = require("node:module");
const path = require("node:path");

const load = createRequire(path.join(process.cwd(), "package.json"));
const vendure = load("@vendure/core");

const port = Number(process.argv[2]);
const tokenMethods = process.argv[3].split(",");

// Vendure's own dummy method leaves refunds pending; this one settles them at once.
const instantRefunds = new vendure.PaymentMethodHandler({
    code: "instant-refunds",
    description: [{ languageCode: vendure.LanguageCode.en, value: "Settles payments and refunds at once" }],
    args: {},
    createPayment: (ctx, order, amount) => ({ amount, state: "Settled", transactionId: `paid-${order.code}` }),
    settlePayment: () => ({ success: true }),
    createRefund: (ctx, input, amount, order) => ({ state: "Settled", transactionId: `refund-${order.code}` }),
});

vendure
    .bootstrap({
        apiOptions: { port, hostname: "127.0.0.1", adminApiPath: "admin-api", shopApiPath: "shop-api" },
        authOptions: {
            tokenMethod: tokenMethods,
            cookieOptions: { secret: "unicart-live-tests" },
            superadminCredentials: { identifier: "superadmin", password: "superadmin" },
            requireVerification: false,
        },
        dbConnectionOptions: { type: "sqljs", synchronize: true, autoSave: false },
        paymentOptions: { paymentMethodHandlers: [vendure.dummyPaymentHandler, instantRefunds] },
        defaultChannelToken: "main",
        logger: new vendure.DefaultLogger({ level: vendure.LogLevel.Warn }),
        orderOptions: { orderItemsLimit: 100000, orderLineItemsLimit: 100000 },
    })
    .catch((error) => {
        console.error(error);
        process.exit(1);
    });

// The npm clients, each with nothing set but where the service is: `node node_peers.cjs CLIENT BASE_URL KEY TASKS`.
"use strict";

const clients = {
  "@runwayml/sdk"(baseURL, apiKey) {
    const { default: RunwayML } = require("@runwayml/sdk");
    const client = new RunwayML({ baseURL, apiKey });
    return () =>
      client.imageToVideo
        .create({
          model: "gen4_turbo",
          promptImage: "https://example.com/stage.png",
          promptText: "A dancer as a paper puppet",
          ratio: "1280:720",
          duration: 5,
        })
        .waitForTaskOutput();
  },

  "@fal-ai/client"(baseURL, credentials) {
    const { createFalClient } = require("@fal-ai/client");
    // The host is fixed in the client, so what it sends is led here.
    const led = (url, options) => fetch(baseURL + url.slice(new URL(url).origin.length), options);
    const client = createFalClient({ credentials, fetch: led });
    return () => client.subscribe("example/video", { input: { prompt: "A dancer as a paper puppet" } });
  },

  replicate(baseURL, auth) {
    const Replicate = require("replicate");
    const client = new Replicate({ baseUrl: `${baseURL}/v1`, auth });
    return () => client.run("example/video", { input: { prompt: "A dancer as a paper puppet" } });
  },
};

async function main([name, baseUrl, key, tasks]) {
  const task = clients[name](baseUrl, key);
  await Promise.all(Array.from({ length: Number(tasks) }, task));
}

main(process.argv.slice(2)).catch((error) => {
  console.error(String(error));
  process.exitCode = 1;
});

// What @iptv/xtream-api and iptv-playlist-parser make of a server, as JSON; see xtream.py.
// usage: node with_node.cjs FOLDER_WITH_MODULES ADDRESS USER PASSWORD
const { createRequire } = require("node:module");

const [folder, url, username, password] = process.argv.slice(2);
const installed = createRequire(`${folder}/`);
const { Xtream } = installed("@iptv/xtream-api");
const { standardizedSerializer } = installed("@iptv/xtream-api/standardized");
const parser = installed("iptv-playlist-parser");

async function everything(client) {
  const profile = await client.getProfile();
  const server = await client.getServerInfo();
  const groups = await client.getChannelCategories();
  const channels = await client.getChannels();
  const first = channels[0];
  const channelId = first ? first.stream_id ?? first.id : 0;
  const linkTo = (each, extension) =>
    client.generateStreamUrl({ type: "channel", streamId: each.stream_id ?? each.id, extension });
  return {
    profile,
    server,
    groups,
    channels,
    links: channels.map((each) => linkTo(each, "ts")),
    others: channels.map((each) => linkTo(each, "flv")), // a form that we do not have
    short: await client.getShortEPG({ channelId, limit: 2 }),
    full: await client.getFullEPG({ channelId }),
    films: [...(await client.getMovies()), ...(await client.getMovieCategories())],
    series: [...(await client.getShows()), ...(await client.getShowCategories())],
  };
}

async function playlists() {
  const client = new Xtream({ url, username, password, preferredFormat: "m3u8" });
  await client.getProfile();
  const channels = await client.getChannels();
  return channels.map((each) =>
    client.generateStreamUrl({ type: "channel", streamId: each.stream_id, extension: "m3u8" }),
  );
}

async function main() {
  const told = {};
  for (const [name, serializer] of Object.entries({ raw: undefined, standard: standardizedSerializer })) {
    try {
      told[name] = await everything(new Xtream({ url, username, password, serializer }));
    } catch (error) {
      told[name] = { error: `${error.name}: ${error.message}` };
    }
  }
  told.playlists = told.raw.error ? [] : await playlists();
  for (const output of ["ts", "m3u8"]) {
    const query = new URLSearchParams({ username, password, type: "m3u_plus", output });
    const list = await fetch(`${url}/get.php?${query}`);
    told[output] = list.ok ? parser.parse(await list.text()) : { status: list.status };
  }
  return told;
}

main().then((told) => process.stdout.write(JSON.stringify(told)));

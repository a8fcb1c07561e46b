// Why a stream does not play in the page, and what to do.

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;
// By ISO/IEC 14496-15 and RFC 6381, one frequent profile of each codec that not every browser plays.
const KNOWN = { hevc: ["HEVC", 'video/mp4; codecs="hvc1.1.6.L120.B0"'], av1: ["AV1", 'video/mp4; codecs="av01.0.08M.08"'], ac3: ["AC-3", 'audio/mp4; codecs="ac-3"'], eac3: ["E-AC-3", 'audio/mp4; codecs="ec-3"'] };
// Codecs that no browser plays, or that the player does not read.
const NEVER = { mpeg2video: "MPEG-2", mpeg1video: "MPEG-1", vc1: "VC-1", dts: "DTS" };
const STATUS = {
  401: "Dispatcharr asks for a login. Its proxy plays without one only where its network access settings allow that.",
  403: "Dispatcharr refuses this device: see its settings, Network access, Streams.",
  404: "Dispatcharr does not have this stream any more. The next refresh of the library removes it here too.",
  429: "You watch as many streams as Dispatcharr allows its user.",
  503: "Dispatcharr has no free connection for this stream, or none of its streams answers. Try again when a check or a viewer has ended.",
  504: "The provider does not answer Dispatcharr. Check the stream to find out why.",
};
const ELSEWHERE = "A player such as VLC plays it.";

/** Return why a stream cannot play here, as far as its last result and its address tell it; null when nothing speaks against it. */
export function unplayable(address, result, place = location, media = window.MediaSource) {
  const { protocol, hostname, origin } = new URL(address);
  if (place.protocol === "https:" && protocol === "http:" && !LOOPBACK.test(hostname)) {
    return `This page came over HTTPS, and browsers then load nothing over HTTP, as from ${origin}. Give Dispatcharr an HTTPS address, and set DISPATCHARR_PUBLIC_URL to it.`;
  }
  const codecs = [result?.video_codec, ...(result?.audio ?? []).slice(0, 1).map((track) => track.codec)].filter(Boolean);
  const foreign = codecs.map((codec) => NEVER[codec] ?? (KNOWN[codec] && !media?.isTypeSupported(KNOWN[codec][1]) ? KNOWN[codec][0] : null)).filter(Boolean);
  return foreign.length ? `This browser does not play ${foreign.join(" and ")}, which the stream had at its last check. ${ELSEWHERE}` : null;
}

/** Return the words for an error of the library. */
export function playerFault(address, detail, more) {
  const { origin } = new URL(address);
  switch (detail) {
    case "HttpStatusCodeInvalid":
      return STATUS[more?.code] ?? `Dispatcharr responded with ${more?.code}.`;
    case "Exception":
      return `The browser cannot load from ${origin}. Either this device does not reach it: then set DISPATCHARR_PUBLIC_URL to an address that it reaches. Or a server in front of Dispatcharr forbids other pages to load from it (CORS). Or the stream's profile in Dispatcharr redirects to the provider: this page does not follow, because the login would reach the browser.`;
    case "ConnectingTimeout":
      return `${origin} does not answer.`;
    case "EarlyEof":
    case "UnrecoverableEarlyEof":
      return "Dispatcharr has ended the stream.";
    case "FormatError":
    case "FormatUnsupported":
      return `Dispatcharr sends no MPEG transport stream, and the player reads nothing else. ${ELSEWHERE}`;
    case "CodecUnsupported":
    case "MediaMSEError":
      return `This browser does not play the codecs of the stream${more?.msg ? ` (${more.msg})` : ""}. ${ELSEWHERE}`;
    default:
      return `The stream does not play here: ${more?.msg ?? detail}. ${ELSEWHERE}`;
  }
}

/** Return the words for a stream that has shown no picture in time. */
export function silentFault(media, result) {
  if (media?.audioCodec && !media.videoCodec) return `Only the sound can be played here: the player does not read this picture (MPEG-2, for example). ${ELSEWHERE}`;
  return unplayable(location.href, result) ?? "No picture came in 15 seconds. The stream may be dead or slow: check it to find out why.";
}

// A player of Dispatcharr's proxy in a dialog. The proxy's address holds no login of a provider.

import { OuterLink } from "../airflow.js";
import { get } from "../api.js";
import { html, useEffect, useId, useRef, useState } from "../html.js";
import { playerFault, silentFault, unplayable } from "./player_faults.js";
import { Play } from "./save_button.js";

const SILENCE_MS = 15000;
let library = null;

/** Load the library once. It is a classic script, which defines a global name. */
function loaded() {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = new URL("vendor/mpegts.js", document.baseURI).href;
    script.onload = () => resolve(window.mpegts);
    script.onerror = () => reject(new Error("The player could not be loaded. Reload the page."));
    document.head.append(script);
  }).catch((error) => {
    library = null;
    throw error;
  });
  return library;
}

export function Player({ query, name, account, result, close }) {
  const dialog = useRef(null);
  const heading = useId();
  const [address, setAddress] = useState(null);
  const [fault, setFault] = useState(null);
  const [isOn, setOn] = useState(false);
  useEffect(() => {
    dialog.current.showModal();
    get(`proxy/address?${new URLSearchParams(query)}`).then((found) => setAddress(found.url), (error) => setFault(error.message));
  }, []);
  const problem = fault ?? (address && unplayable(address, result));
  return html`
    <dialog ref=${dialog} class="wide" aria-labelledby=${heading} onClose=${close}>
      <h2 id=${heading}><bdi>${name}</bdi></h2>
      ${isOn && html`<${Screen} address=${address} name=${name} result=${result} fail=${(message) => (setOn(false), setFault(message))} />`}
      ${!isOn && html`<p>Watching takes one connection ${account ? html`of <bdi>${account}</bdi>` : "of the account whose stream Dispatcharr chooses"} until you close this. Checks leave it to you.</p>`}
      ${problem && html`<p class="notice degraded" role="alert">${problem}</p>`}
      ${address && html`<p class="small">Elsewhere: <${OuterLink} href=${address} newTab>the stream itself<//>, or <${Play} query=${query} name=${name} /></p>`}
      <div class="row">
        <button type="button" onClick=${() => dialog.current.close()}>Close</button>
        ${!isOn && html`<button type="button" class="main" disabled=${!address} onClick=${() => (setFault(null), setOn(true))}>${fault && address ? "Try again" : "Play"}</button>`}
      </div>
    </dialog>
  `;
}

/** The picture, from its first moment until the dialog closes. */
function Screen({ address, name, result, fail }) {
  const video = useRef(null);
  const [plays, setPlays] = useState(false);
  useEffect(() => {
    let player = null;
    let isOver = false;
    const end = (message) => {
      if (isOver) return;
      isOver = true;
      if (message) fail(message);
    };
    const silence = setTimeout(() => end(silentFault(player?.mediaInfo, result)), SILENCE_MS);
    const hasPicture = () => {
      if (!video.current?.videoWidth || !video.current.currentTime) return;
      clearTimeout(silence);
      setPlays(true);
    };
    video.current.addEventListener("timeupdate", hasPicture);
    loaded().then((mpegts) => {
      if (isOver) return;
      if (!mpegts.isSupported()) return end("This browser plays no streams in a page.");
      mpegts.LoggingControl.enableAll = false;
      player = mpegts.createPlayer({ type: "mpegts", isLive: true, url: address, cors: true, withCredentials: false }, { liveBufferLatencyChasing: true });
      player.on(mpegts.Events.ERROR, (kind, detail, more) => end(playerFault(address, detail, more)));
      player.on(mpegts.Events.LOADING_COMPLETE, () => end("The stream has ended."));
      player.attachMediaElement(video.current);
      player.load();
      // A browser that plays nothing by itself shows its own button.
      player.play()?.catch(() => {});
    }).catch((error) => end(error.message));
    return () => {
      isOver = true;
      clearTimeout(silence);
      player?.destroy();
    };
  }, []);
  return html`
    <video ref=${video} class="screen" controls playsinline aria-label=${`Picture of ${name}`}></video>
    ${!plays && html`<p class="muted" role="status">Waiting for the first picture…</p>`}
  `;
}

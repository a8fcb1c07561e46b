// The rights of the user, asked once: a user without the right to change something sees no button for it.

import { get } from "./api.js";
import { useEffect, useState } from "./html.js";

let known = null;
let asked = null;

/** Return `{name, mayEdit}`; nobody may edit until the server has answered. */
export function useRights() {
  const [rights, setRights] = useState(known);
  useEffect(() => {
    if (known) return;
    asked ??= get("me");
    asked.then(({ name, may_edit: mayEdit }) => setRights((known = { name, mayEdit }))).catch(() => (asked = null));
  }, []);
  return rights ?? { name: "", mayEdit: false };
}

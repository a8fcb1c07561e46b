// The colour scheme of Airflow's UI around the frame; without a parent page, that of the system.

export function followParentTheme() {
  let root;
  try {
    root = window.parent === window ? null : window.parent.document.documentElement;
  } catch {
    root = null;
  }
  if (!root) return;
  const follow = () => {
    const theme = ["dark", "light"].find((name) => root.classList.contains(name));
    document.documentElement.style.colorScheme = theme ?? "light dark";
  };
  new MutationObserver(follow).observe(root, { attributes: true, attributeFilter: ["class"] });
  follow();
}

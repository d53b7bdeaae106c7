// Search runs in a worker, and browsers start none for a page that is opened as a file: an invisible frame takes its place there.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.waiting = [];
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.documentElement.append(frame);
      this.inside = frame.contentWindow;
      this.inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      const script = this.inside.document.createElement("script");
      script.onload = () => { this.waiting.forEach((data) => this.deliver(data)); this.waiting = null; };
      script.src = new URL(url, location.href).href;
      this.inside.document.body.append(script);
    }
    deliver(data) { this.inside.dispatchEvent(new this.inside.MessageEvent("message", { data })); }
    postMessage(data) { this.waiting ? this.waiting.push(data) : this.deliver(data); }
    terminate() {}
  };
}

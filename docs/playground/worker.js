// The worker: Python, graphc, and one question after the other. What is asked is (method, arguments)
// of answers.py; what it says on its own is how far it has come.
import { loadPyodide } from "PYODIDE/pyodide.mjs";

const tell = (message) => postMessage(message);

const start = async () => {
  const { bundle } = await new Promise((given) => {
    onmessage = (event) => given(event.data);
  });
  tell({ progress: "Python" });
  const python = await loadPyodide({ indexURL: "PYODIDE/" });
  const numpy = python.loadPackage("numpy", { messageCallback: () => {} });
  tell({ progress: "graphc" });
  python.unpackArchive(bundle, "zip", { extractDir: "/graphc" });
  python.runPython("import sys; sys.path.insert(0, '/graphc')");
  const answers = python.pyimport("answers");
  const asked = async (number, method, given) => {
    try {
      if (method === "checked") await numpy; // the others need none
      if (method === "checked" && !python.loadedPackages.numpy)
        throw Error("NumPy could not be loaded from PYODIDE");
      const found = answers[method](...given);
      const answer = found?.toJs ? found.toJs({ dict_converter: Object.fromEntries }) : found;
      found?.destroy?.();
      tell({ number, answer });
    } catch (wrong) {
      tell({ number, failed: String(wrong.message ?? wrong) });
    }
  };
  onmessage = ({ data: { number, method, given } }) => asked(number, method, given);
  tell({ progress: "" });
};

start().catch((wrong) => tell({ broken: String(wrong.message ?? wrong) }));

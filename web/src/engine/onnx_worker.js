import { openOnnx } from "./onnx.js";
import { serveRequests } from "./serve_requests.js";

serveRequests(openOnnx);

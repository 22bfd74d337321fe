import { serveRequests } from "./serve_requests.js";
import { openTflite } from "./tflite.js";

serveRequests(openTflite);

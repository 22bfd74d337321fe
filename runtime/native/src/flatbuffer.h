// Is a .tflite whole? Its tables are walked with every offset and count checked, as segruntime/model_file/tflite_check.py does:
// LiteRT trusts more of a file than it should, and aborts the process in a kernel where a table is damaged.
#pragma once

#include <cstddef>
#include <cstdint>

namespace segedge {

// Throws Error: a part of the model lies outside the file, or names a part that does not exist.
void check_tflite(const uint8_t *data, size_t size);

}  // namespace segedge

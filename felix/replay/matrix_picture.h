// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "felix/replay/matrix.h"

namespace felix::replay {

// The matrix as a picture: a row for each sender, a column for each receiver, a filled cell where
// the flow is allowed. Runs of equal cells are one shape, so that a thousand workloads make a file
// that a browser opens. Names are in it as far as there is room for them.
[[nodiscard]] std::string MatrixSvg(const Matrix& matrix, const std::string& title);
// The picture in a page of its own that needs nothing from elsewhere.
[[nodiscard]] std::string MatrixHtml(const Matrix& matrix, const std::string& title);

}  // namespace felix::replay

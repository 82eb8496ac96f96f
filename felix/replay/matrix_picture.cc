// SPDX-License-Identifier: Apache-2.0
#include "felix/replay/matrix_picture.h"

#include <algorithm>
#include <string_view>

#include "fmt/format.h"

namespace felix::replay {
namespace {

constexpr std::size_t kMostNames = 100;
constexpr std::size_t kNameWidth = 260;
constexpr std::size_t kLargestCell = 14;
constexpr std::size_t kUsualSide = 1000;
// Told apart by those who do not see red and green, and in print by their darkness.
constexpr std::string_view kAllowed = "#0b5fa5";
constexpr std::string_view kDenied = "#f0e9df";

std::string Escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace

std::string MatrixSvg(const Matrix& matrix, const std::string& title) {
  const std::size_t size = matrix.workloads().size();
  const std::size_t cell =
      std::clamp<std::size_t>(kUsualSide / std::max<std::size_t>(size, 1), 1, kLargestCell);
  const bool named = size <= kMostNames;
  const std::size_t left = named ? kNameWidth : 0;
  const std::size_t side = size * cell;
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" "
      "data-allowed=\"{}\" data-denied=\"{}\" font-family=\"sans-serif\" font-size=\"{}\">\n"
      "<title>{}</title>\n<rect x=\"{}\" y=\"0\" width=\"{}\" height=\"{}\" fill=\"{}\"/>\n",
      left + side, side, matrix.Count(Reach::kYes), matrix.Count(Reach::kNo),
      std::max<std::size_t>(cell - 3, 1), Escaped(title), left, side, side, kDenied);
  for (std::size_t from = 0; from < size; ++from) {
    const std::size_t y = from * cell;
    if (named) {
      svg += fmt::format("<text x=\"0\" y=\"{}\">{}</text>\n", y + cell - 3,
                         Escaped(NameOf(*matrix.workloads()[from])));
    }
    for (std::size_t to = 0; to < size;) {
      std::size_t end = to;
      while (end < size && matrix.At(from, end) == Reach::kYes) ++end;
      if (end > to) {
        svg += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"/>\n",
                           left + to * cell, y, (end - to) * cell, cell, kAllowed);
      }
      to = end + 1;
    }
  }
  return svg + "</svg>\n";
}

std::string MatrixHtml(const Matrix& matrix, const std::string& title) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0}</title></head>\n"
      "<body style=\"font-family: sans-serif\">\n<h1>{0}</h1>\n"
      "<p id=\"summary\">{1} workloads, {2} pairs allowed (dark), {3} denied (light); rows send, "
      "columns receive.</p>\n{4}</body></html>\n",
      Escaped(title), matrix.workloads().size(), matrix.Count(Reach::kYes),
      matrix.Count(Reach::kNo), MatrixSvg(matrix, title));
}

}  // namespace felix::replay

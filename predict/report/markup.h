// HTML that cannot be injected into: text becomes markup only by being escaped.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace nowcell {

/// A piece of a page. Only text(), element() and verbatim() make one.
class Markup {
 public:
    Markup() = default;

    const std::string& html() const { return html_; }
    std::size_t size() const { return html_.size(); }
    bool empty() const { return html_.empty(); }
    Markup& operator+=(const Markup& other);

    /// What is markup already, such as a drawing of ours. Never give it anything read from a file.
    static Markup verbatim(std::string html);

 private:
    std::string html_;
};

Markup operator+(Markup a, const Markup& b);

/// Text as people see it: & < > " ' escaped, what is no UTF-8 read as Latin-1, control characters become "?", cut after
/// `most` bytes.
Markup text(const std::string& plain, std::size_t most = 2000);

using Attributes = std::vector<std::pair<std::string, std::string>>;

/// <name attribute="value">content</name>; values are escaped.
Markup element(const std::string& name, const Markup& content, const Attributes& attributes = {});
Markup element(const std::string& name, const std::string& plain, const Attributes& attributes = {});

/// <name attribute="value">, for elements without content. Values are not cut: an image is one.
Markup lone_element(const std::string& name, const Attributes& attributes);

/// A cell of a table.
struct Cell {
    std::string text;
    bool number = false;  ///< aligned right
    bool best = false;    ///< bold, and said to those who do not see it
};

/// A table with a caption, a head and a first column that names the rows; wide ones scroll by themselves.
Markup table(const std::string& caption, const std::vector<std::string>& head,
             const std::vector<std::vector<Cell>>& rows);

}  // namespace nowcell

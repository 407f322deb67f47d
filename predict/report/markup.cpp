#include "predict/report/markup.h"

#include "src/json.h"

namespace nowcell {
namespace {

std::string escaped(const std::string& plain) {
    std::string out;
    for (const char c : as_utf8(plain)) {
        switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&quot;"; break;
            case '\'': out += "&#39;"; break;
            case '\n': out += c; break;
            default: out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
        }
    }
    return out;
}

// Ends between letters.
std::string cut(const std::string& plain, std::size_t most) {
    if (plain.size() <= most) return plain;
    while (most > 0 && (static_cast<unsigned char>(plain[most]) & 0xc0) == 0x80) --most;
    return plain.substr(0, most) + " ...";
}

std::string opening(const std::string& name, const Attributes& attributes) {
    std::string out = "<" + name;
    for (const auto& [key, value] : attributes) out += " " + key + "=\"" + escaped(value) + "\"";
    return out + ">";
}

}  // namespace

Markup& Markup::operator+=(const Markup& other) {
    html_ += other.html_;
    return *this;
}

Markup Markup::verbatim(std::string html) {
    Markup markup;
    markup.html_ = std::move(html);
    return markup;
}

Markup operator+(Markup a, const Markup& b) { return a += b; }

Markup text(const std::string& plain, std::size_t most) { return Markup::verbatim(escaped(cut(plain, most))); }

Markup element(const std::string& name, const Markup& content, const Attributes& attributes) {
    return Markup::verbatim(opening(name, attributes) + content.html() + "</" + name + ">");
}

Markup element(const std::string& name, const std::string& plain, const Attributes& attributes) {
    return element(name, text(plain), attributes);
}

Markup lone_element(const std::string& name, const Attributes& attributes) {
    return Markup::verbatim(opening(name, attributes));
}

Markup table(const std::string& caption, const std::vector<std::string>& head,
             const std::vector<std::vector<Cell>>& rows) {
    Markup top, body;
    for (std::size_t i = 0; i < head.size(); ++i) {
        const bool number = !rows.empty() && i < rows.front().size() && rows.front()[i].number;
        Attributes attributes = {{"scope", "col"}};
        if (number) attributes.emplace_back("class", "number");
        top += element("th", head[i], attributes);
    }
    for (const auto& row : rows) {
        Markup cells;
        for (std::size_t i = 0; i < row.size(); ++i) {
            const Cell& cell = row[i];
            Attributes attributes;
            if (i == 0) attributes.emplace_back("scope", "row");
            const std::string kind = std::string(cell.number ? "number" : "") + (cell.best ? " best" : "");
            if (!kind.empty()) attributes.emplace_back("class", kind);
            Markup content = text(cell.text);
            if (cell.best) content += element("span", " (best)", {{"class", "unseen"}});
            cells += element(i == 0 ? "th" : "td", content, attributes);
        }
        body += element("tr", cells) + Markup::verbatim("\n");
    }
    const Markup inner = element("caption", caption) + element("thead", element("tr", top)) + element("tbody", body);
    return element("div", element("table", inner),
                   {{"class", "scroll"}, {"tabindex", "0"}, {"role", "region"}, {"aria-label", caption}});
}

}  // namespace nowcell

#include "predict/report/page.h"

#include "predict/report/page_style.h"

#include <fmt/format.h>

#include <algorithm>

namespace nowcell {
namespace {

constexpr std::size_t kMostText = kMostPage * 3 / 5;  // the rest is for figures
constexpr std::size_t kReserve = 20'000;              // notes of what is left out, and the frame of the page
constexpr std::size_t kMostNotes = 20;

std::string anchor(std::size_t section) { return fmt::format("part-{}", section + 1); }

// Nothing may be asked for, run, framed or sent.
Markup head_of(const std::string& title) {
    std::string style = "<style>";
    style += kPageStyle;
    style += "</style>";
    return lone_element("meta", {{"charset", "utf-8"}}) +
           lone_element("meta", {{"http-equiv", "Content-Security-Policy"},
                                 {"content",
                                  "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
                                  "base-uri 'none'; form-action 'none'"}}) +
           lone_element("meta", {{"name", "viewport"}, {"content", "width=device-width, initial-scale=1"}}) +
           lone_element("meta", {{"name", "color-scheme"}, {"content", "light dark"}}) +
           lone_element("link", {{"rel", "icon"}, {"href", "data:,"}}) + element("title", title) +
           Markup::verbatim(style);
}

Markup contents_of(const std::vector<Section>& sections) {
    if (sections.size() < 2) return {};
    Markup items;
    for (std::size_t i = 0; i < sections.size(); ++i) {
        items += element("li", element("a", sections[i].heading, {{"href", "#" + anchor(i)}}));
    }
    return element("nav", element("ul", items), {{"aria-label", "Contents"}});
}

// Drawings come first, then files, which share what is left.
std::vector<std::vector<Markup>> figures_of(const std::vector<Section>& sections, Embedding& embedding) {
    std::vector<std::vector<Markup>> made(sections.size());
    std::size_t files = 0;
    for (const Section& section : sections) {
        files += static_cast<std::size_t>(std::count_if(section.parts.begin(), section.parts.end(), [](const Part& p) {
            return p.figure && !p.figure->path.empty();
        }));
    }
    embedding.expect_files(files);
    for (const bool drawings : {true, false}) {
        for (std::size_t s = 0; s < sections.size(); ++s) {
            made[s].resize(sections[s].parts.size());
            for (std::size_t p = 0; p < made[s].size(); ++p) {
                const auto& figure = sections[s].parts[p].figure;
                if (figure && figure->path.empty() == drawings) made[s][p] = embedding.figure(*figure);
            }
        }
    }
    return made;
}

}  // namespace

Page page_of(const std::string& title, const std::string& made, const std::vector<Section>& sections) {
    Page page;
    std::size_t written = kReserve;
    std::vector<std::vector<Markup>> texts(sections.size());
    for (std::size_t s = 0; s < sections.size(); ++s) {
        for (const Part& part : sections[s].parts) {
            const bool fits = written + part.text.size() <= kMostText;
            if (fits)
                written += part.text.size();
            else
                page.left_out.push_back(fmt::format("{}, {}: no room on the page", sections[s].heading, part.name));
            texts[s].push_back(fits ? part.text : Markup());
        }
    }
    Embedding embedding(kMostPage - written);
    const auto figures = figures_of(sections, embedding);
    page.figures = embedding.shown();
    page.left_out.insert(page.left_out.end(), embedding.left_out().begin(), embedding.left_out().end());

    Markup body =
        element("header", element("h1", title) + element("p", made, {{"class", "made"}}) + contents_of(sections));
    for (std::size_t s = 0; s < sections.size(); ++s) {
        Markup content = element("h2", sections[s].heading);
        for (std::size_t p = 0; p < texts[s].size(); ++p) content += texts[s][p] + figures[s][p];
        body += element("section", content, {{"id", anchor(s)}});
    }
    if (!page.left_out.empty()) {
        Markup items;
        for (std::size_t i = 0; i < std::min(page.left_out.size(), kMostNotes); ++i) {
            items += element("li", text(page.left_out[i], 300));
        }
        if (page.left_out.size() > kMostNotes) {
            items += element("li", fmt::format("and {} more", page.left_out.size() - kMostNotes));
        }
        body += element("footer", element("h2", "Left out") + element("ul", items));
    }
    page.html = "<!doctype html>\n<html lang=\"en\"><head>" + head_of(title).html() + "</head>\n<body><main>" +
                body.html() + "</main></body></html>\n";
    return page;
}

}  // namespace nowcell

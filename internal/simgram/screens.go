package simgram

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"reelpass/internal/phone"
)

// element is a node of a page and what a touch of it does.
type element struct {
	node phone.Node
	act  string
}

// box is a full-width row of a page.
func box(y, height int) phone.Rect { return phone.Rect{X1: 20, Y1: y, X2: 700, Y2: y + height} }

func el(id, text, desc, act string, b phone.Rect) element {
	if id != "" && !strings.Contains(id, ":") {
		id = Package + ":id/" + id
	}
	class := "android.widget.TextView"
	switch {
	case strings.Contains(id, "caption_input"):
		class = "android.widget.EditText"
	case act != "":
		class = "android.widget.Button"
	}
	return element{phone.Node{ID: id, Class: class, Package: Package, Text: text, Desc: desc, Bounds: b, Clickable: act != "", Enabled: true}, act}
}

// elements is what is shown, the lowest first.
func (a *App) elements() []element {
	if a.at == home {
		return onPhone([]element{
			el("com.android.launcher3:id/qsb_widget", "", "Search", "", box(60, 80)),
			el("", "Phone", "Phone", "", phone.Rect{X1: 20, Y1: 1100, X2: 190, Y2: 1200}),
			el("", "Instagram", "Instagram", "open", phone.Rect{X1: 20, Y1: 780, X2: 190, Y2: 1000}),
		})
	}
	if a.trouble != "" {
		return a.troubled()
	}
	switch a.at {
	case profile:
		return append(a.profile(), a.tabs()...)
	case create:
		return append(a.profile(),
			el("background_dimmer", "", "", "", phone.Rect{X2: 720, Y2: 1280}),
			el("", "", a.text("new_reel"), gallery, box(640, 80)), el("label", "Reel", "", "", phone.Rect{X1: 90, Y1: 660, X2: 150, Y2: 700}),
			el("", "", a.text("new_post"), "", box(740, 80)), el("label", "Post", "", "", phone.Rect{X1: 90, Y1: 760, X2: 150, Y2: 800}),
			el("", "", a.text("new_story"), "", box(840, 80)))
	case gallery:
		return a.gallery()
	case editor, draft:
		list := []element{
			el("clips_left_action_button", "", "Double tap for tools that edit your video clips.", "", phone.Rect{X1: 20, Y1: 1190, X2: 170, Y2: 1260}),
			el("clips_action_bar_add_clips_button", "", "Add clips", "", phone.Rect{X1: 500, Y1: 1090, X2: 580, Y2: 1160}),
			el("clips_right_action_button", "", a.text("next"), sharing, phone.Rect{X1: 580, Y1: 1190, X2: 700, Y2: 1260}),
		}
		if a.at == draft {
			list = append(list, el("action_sheet_header_text_view", a.text("draft?"), "", "", box(900, 60)),
				el("action_sheet_row_text_view", a.text("start_over"), "", gallery, box(970, 80)),
				el("action_sheet_row_text_view", a.text("keep"), "", editor, box(1060, 80)))
		}
		return list
	case sharing:
		return a.sharePage()
	case reel:
		return append(a.reel(), a.tabs()...)
	case long:
		return []element{
			el("igds_alert_dialog_headline", "Your reel may get limited reach", "", "", box(500, 80)),
			el("igds_alert_dialog_subtext", "Reels over 3 minutes won't be recommended to new people.", "", "", box(590, 80)),
			el("igds_alert_dialog_primary_button", a.text("share"), "", "share", box(700, 80)),
			el("igds_alert_dialog_secondary_button", "Edit draft", "", sharing, box(790, 80)),
		}
	}
	return a.feed()
}

func onPhone(list []element) []element {
	for i := range list {
		list[i].node.Package = "com.android.launcher3"
	}
	return list
}

func (a *App) tabs() []element {
	var list []element
	for i, t := range []struct{ id, text, act string }{
		{"feed_tab", "home", feed}, {"clips_tab", "reels", ""}, {"direct_tab", "message", ""}, {"search_tab", "search", ""}, {"profile_tab", "profile", profile},
	} {
		list = append(list, el(t.id, "", a.text(t.text), t.act, phone.Rect{X1: i * 144, Y1: 1200, X2: (i + 1) * 144, Y2: 1280}))
	}
	return list
}

func (a *App) feed() []element {
	list := []element{
		el("title_logo", "", "Instagram Home Feed", "", phone.Rect{X1: 250, Y1: 50, X2: 450, Y2: 120}),
		el("reels_tray_container", "", "reels tray container", "", box(140, 160)),
	}
	s := a.cfg.Scenario
	switch {
	case !a.uploading.IsZero():
		list = append(list, el("upload_snackbar_container", "", "", "", box(310, 90)), el("status_text", a.text("sharing"), "", "", phone.Rect{X1: 40, Y1: 320, X2: 400, Y2: 380}),
			el("progress_bar", strconv.Itoa(a.progress())+".0", "", "", phone.Rect{X1: 420, Y1: 320, X2: 680, Y2: 380}))
	case a.result == "posted":
		list = append(list, el("status_text", a.text("done"), "", "", box(310, 60)), el("upload_snackbar_button", a.text("send"), "", "", phone.Rect{X1: 600, Y1: 310, X2: 700, Y2: 370}))
	case a.result == "failed" || s.CannotPost:
		list = append(list, el("row_pending_media_status_textview", a.text("cannot"), "", "", box(310, 60)), el("row_pending_media_discard_button", "", "", "", phone.Rect{X1: 640, Y1: 310, X2: 700, Y2: 370}))
	case s.Stale:
		list = append(list, el("row_pending_media_status_textview", "Posted! Boom.", "", "", box(310, 60)), el("row_pending_media_reshare_button", "", a.text("send"), "", phone.Rect{X1: 600, Y1: 310, X2: 700, Y2: 370}))
	}
	list = append(list, el("row_feed_photo_profile_name", "lina.bakes", "lina.bakes", "", box(420, 40)),
		el("row_feed_comment_textview_layout", "my account was suspended once, action blocked, try again later lol", "", "", box(470, 60)))
	list = append(list, a.tabs()...)
	if len(a.popups) > 0 && a.popups[0] == Strange {
		return []element{ // it covers the page
			el("quux_title", "Meet the new orbit", "", "", box(400, 60)), el("quux_body", "Reels in orbit reach people who are awake.", "", "", box(480, 60)),
			el("quux_a", "Share into orbit", "", "logout", box(700, 80)), el("quux_b", "Stay on the ground", "", "dismiss", box(800, 80)),
		}
	}
	if len(a.popups) > 0 {
		return append(list, a.popup(a.popups[0])...)
	}
	return list
}

func (a *App) progress() int {
	if a.cfg.Upload <= 0 {
		return 90
	}
	return int(90 * a.cfg.Clock().Sub(a.uploading) / max(a.cfg.Upload, time.Millisecond))
}

// popup is a dialog over the feed. One that a real phone shows alone hides what is below it.
func (a *App) popup(name string) []element {
	switch name {
	case "rate":
		return []element{
			el("appirater_title_area", "Rate Instagram", "", "", box(490, 60)), el("appirater_rate_button", "Rate Instagram", "", "", box(690, 60)),
			el("appirater_cancel_button", "No, thanks", "", "dismiss", box(850, 60)),
		}
	case "verified":
		return []element{
			el("background_dimmer", "", "", "", phone.Rect{Y2: 700, X2: 720}),
			el("igds_headline_emphasized_headline", "Get more from your next reel", "", "", box(800, 60)),
			el("bb_primary_action_container", "", "Get started", "", box(1100, 80)),
		}
	case "permission":
		list := []element{
			el("com.android.permissioncontroller:id/permission_message", "Allow Instagram to take pictures and record video?", "", "", box(510, 80)),
			el("com.android.permissioncontroller:id/permission_allow_foreground_only_button", "While using the app", "", "dismiss", box(640, 80)),
		}
		for i := range list {
			list[i].node.Package = "com.android.permissioncontroller"
		}
		return list
	}
	return []element{
		el("igds_headline_headline", "Create a sticker", "", "", box(590, 60)), el("primary_button", "Try it", "", "", box(880, 80)),
		el("auxiliary_button", "Not now", "", "dismiss", box(970, 80)),
	}
}

func (a *App) profile() []element {
	list := []element{
		el("", "", a.text("create_new"), create, phone.Rect{X1: 550, Y1: 40, X2: 630, Y2: 120}),
		el("action_bar_username_container", "", "", "", phone.Rect{X1: 100, Y1: 40, X2: 540, Y2: 120}),
		el("action_bar_title", a.cfg.Account, a.cfg.Account, "", phone.Rect{X1: 110, Y1: 50, X2: 400, Y2: 110}),
		el("profile_header_familiar_post_count_value", strconv.Itoa(a.posts), "", "", phone.Rect{X1: 200, Y1: 200, X2: 260, Y2: 240}),
		el("profile_header_familiar_post_count_label", a.text("posts"), "", "", phone.Rect{X1: 200, Y1: 240, X2: 260, Y2: 270}),
		el("button_container", "", a.text("edit_profile"), "", phone.Rect{X1: 20, Y1: 520, X2: 350, Y2: 580}),
		el("button_container", "", a.text("share_profile"), "", phone.Rect{X1: 360, Y1: 520, X2: 700, Y2: 580}),
	}
	for i := range min(len(a.reels), gridMost) {
		x, y := i%3*240, 620+i/3*290
		list = append(list, el("image_button", "", fmt.Sprintf("Reel by %s at row %d, column %d", a.cfg.Account, i/3+1, i%3+1), fmt.Sprintf("reel %d", i),
			phone.Rect{X1: x, Y1: y, X2: x + 236, Y2: y + 286}))
	}
	return list
}

// gridMost is how many posts the profile shows at once.
const gridMost = 6

// reel is one's own reel: its caption is cut until it is touched, and only then it says how old it is.
func (a *App) reel() []element {
	r := a.reels[len(a.reels)-1-a.opened]
	list := []element{
		el("clips_media_component", "", "Reel by "+a.cfg.Account+". Double tap to play or pause.", "", phone.Rect{Y1: 40, X2: 720, Y2: 1200}),
		el("clips_author_username", a.cfg.Account, a.cfg.Account, "", phone.Rect{X1: 85, Y1: 1000, X2: 260, Y2: 1030}),
	}
	const most = 40
	caption := r.caption
	if letters := []rune(strings.Join(strings.Fields(caption), " ")); len(letters) > most && !a.unfolded {
		caption = string(letters[:most]) + " …"
	}
	if caption != "" {
		list = append(list, el("", "", caption, "unfold", phone.Rect{X1: 26, Y1: 1040, X2: 635, Y2: 1080}))
	}
	if a.unfolded && !a.cfg.Scenario.Hidden {
		list = append(list, el("", a.age(a.cfg.Clock().Sub(r.at)), "", "", phone.Rect{X1: 26, Y1: 1090, X2: 300, Y2: 1120}))
	}
	return append(list,
		el("like_button", "", "Like", "", phone.Rect{X1: 635, Y1: 789, X2: 707, Y2: 861}), el("", a.text("insights"), a.text("insights"), "", phone.Rect{X1: 26, Y1: 1140, X2: 360, Y2: 1190}),
		el("", "Boost reel", "Boost reel", "", phone.Rect{X1: 360, Y1: 1140, X2: 694, Y2: 1190}))
}

// age is how long ago something was, in the app's words.
func (a *App) age(d time.Duration) string {
	for _, u := range []struct {
		key string
		is  time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}} {
		if n := int(d / u.is); n > 0 {
			return fmt.Sprintf(a.text(fmt.Sprintf("%s ago %d", u.key, min(n, 2))), n)
		}
	}
	return a.text("now")
}

// gallery shows the files that the phone knows, the newest first. The label is the length, which follows from the size: a second for
// each 100 KB.
func (a *App) gallery() []element {
	if a.story {
		return []element{el("gallery_title_text", "Add to story", "", "", box(30, 50)), el("gallery_grid_item_thumbnail", "", "Unselected Photo thumbnail created on May 1, 2026 9:00 AM", "", box(300, 200))}
	}
	list := []element{
		el("gallery_cancel_button", "", "Back to Home", feed, phone.Rect{Y1: 10, X2: 80, Y2: 90}),
		el("gallery_title_text", a.text("gallery"), "", "", phone.Rect{X1: 280, Y1: 30, X2: 440, Y2: 70}),
		el("gallery_folder_menu_tv", "", "Album switcher, Recents, button, double tap to change album", "", phone.Rect{Y1: 200, X2: 170, Y2: 250}),
	}
	const column, row = 240, 300
	for i, f := range a.files {
		kind := "Photo"
		if ext := strings.ToLower(path.Ext(f.Path)); ext == ".mp4" || ext == ".webm" {
			kind = "Video"
		}
		x, y := i%3*column, 270+i/3*row
		if y+row > 1200 {
			break
		}
		list = append(list, el("gallery_grid_item_thumbnail", "", fmt.Sprintf("Unselected %s thumbnail created on %s", kind, f.Changed.Format("January 2, 2006 3:04 PM")),
			fmt.Sprintf("file %d", i), phone.Rect{X1: x, Y1: y, X2: x + column - 4, Y2: y + row - 4}))
		if kind == "Video" {
			list = append(list, el("gallery_grid_item_label", Length(f.Size), "", "", phone.Rect{X1: x + 170, Y1: y + 250, X2: x + 230, Y2: y + 290}))
		}
	}
	return append(list, el("cam_dest_clips", "REEL", "REEL", "", phone.Rect{X1: 310, Y1: 1220, X2: 410, Y2: 1270}))
}

// Length is the label of a video of a size.
func Length(size int64) string {
	s := max(size/100_000, 1)
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

func (a *App) sharePage() []element {
	text := a.caption
	if text == "" {
		text = a.text("hint")
	}
	list := []element{
		el("action_bar_button_back", "", "Back", editor, phone.Rect{Y1: 40, X2: 90, Y2: 130}),
		el("action_bar_title", a.text("gallery"), a.text("gallery"), "", phone.Rect{X1: 110, Y1: 60, X2: 260, Y2: 110}),
		el("caption_input_text_view", text, "", "keyboard", box(130, 300)),
		el("metadata_location_row", "", a.text("location"), "", box(600, 80)),
	}
	if a.keyboard {
		return append(list, el("action_bar_button_text", a.text("ok"), a.text("ok"), "ok", phone.Rect{X1: 630, Y1: 50, X2: 710, Y2: 130}))
	}
	return append(list, el("save_draft_button", "", a.text("save_draft"), "", phone.Rect{X1: 20, Y1: 1180, X2: 350, Y2: 1260}),
		el("share_button", "", a.text("share"), "share", phone.Rect{X1: 370, Y1: 1180, X2: 700, Y2: 1260}))
}

// troubled is a page that tells of trouble with the account.
func (a *App) troubled() []element {
	web := func(title string, more ...string) []element {
		list := []element{el("", "", "Menu", "", phone.Rect{X1: 640, Y1: 40, X2: 700, Y2: 100}), el("", title, title, "", box(380, 60))}
		for i, t := range more {
			list = append(list, el("", t, t, "logout", box(480+i*110, 90)))
		}
		return list
	}
	switch a.trouble {
	case Suspended:
		return web(a.text("suspended")+", Mira", "180 days left to appeal or we'll permanently disable your account", a.text("appeal"))
	case Disabled:
		return web(a.text("disabled"), "You no longer have access to "+a.cfg.Account, a.text("log_out"))
	case UploadID:
		return web(a.text("upload_id"), "We need a photo of your official ID with your date of birth on it.", a.text("submit"))
	case Captcha:
		return web(a.text("captcha")+" to use your account", "Enter the code from the image", a.text("next"))
	case Selfie:
		return web(a.text("selfie"), "We need to confirm it's you.", a.text("start"))
	case Login:
		return web("Instagram from Meta", a.text("password"), a.text("log_in"), a.text("forgot"), a.text("new_account"))
	case ActionBlocked:
		return []element{
			el("igds_alert_dialog_headline", a.text("blocked"), "", "", box(500, 60)), el("igds_alert_dialog_subtext", "Please try again later.", "", "", box(570, 60)),
			el("igds_alert_dialog_primary_button", "OK", "", "logout", box(650, 60)),
		}
	case LoggedOut:
	}
	return []element{
		el("igds_headline_headline", a.text("logged_out"), "", "", box(500, 60)), el("igds_headline_body", a.text("back_in"), "", "", box(570, 60)),
		el("primary_button", "OK", "", "logout", box(650, 60)),
	}
}

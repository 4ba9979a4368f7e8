package simgram

// texts are the app's words by language. English is complete; what another language lacks is English, as in the app.
var texts = map[string]map[string]string{
	"en": {
		"home": "Home", "reels": "Reels", "message": "Message", "search": "Search and explore", "profile": "Profile",
		"edit_profile": "Edit profile", "share_profile": "Share profile", "posts": "posts", "create_new": "Create New",
		"new_reel": "Create new reel", "new_post": "Create new post", "new_story": "Create new story",
		"gallery": "New reel", "next": "Next", "hint": "Write a caption and add hashtags…", "save_draft": "Save draft", "share": "Share", "ok": "OK",
		"location": "Add location", "sharing": "Sharing to Reels…", "done": "Done posting. Want to send it directly to friends?", "send": "Send",
		"cannot": "Video can't be posted", "draft?": "Save draft?", "start_over": "Start over", "keep": "Keep editing",
		"suspended": "We suspended your account", "appeal": "Appeal", "disabled": "We disabled your account", "log_out": "Log out",
		"logged_out": "You've Been Logged Out", "back_in": "Please log back in.", "upload_id": "Upload your ID", "submit": "Submit",
		"captcha": "Confirm you're human", "selfie": "Take a video selfie", "start": "Get started", "blocked": "Action Blocked",
		"insights": "View insights", "now": "Just now", "minute ago 1": "%d minute ago", "minute ago 2": "%d minutes ago", "hour ago 1": "%d hour ago",
		"hour ago 2": "%d hours ago", "day ago 1": "%d day ago", "day ago 2": "%d days ago",
		"log_in": "Log in", "password": "Password", "forgot": "Forgot password?", "new_account": "Create new account",
	},
	"es": {
		"home": "Inicio", "profile": "Perfil", "edit_profile": "Editar perfil", "share_profile": "Compartir perfil", "new_reel": "Crear reel nuevo",
		"new_post": "Crear publicación nueva", "next": "Siguiente", "hint": "Escribe un pie de foto o video y agrega hashtags…",
		"save_draft": "Guardar borrador", "share": "Compartir", "ok": "Aceptar", "sharing": "Compartiendo en Reels…",
		"done": "Se publicó tu reel", "send": "Enviar", "suspended": "Suspendimos tu cuenta", "appeal": "Apelar", "disabled": "Inhabilitamos tu cuenta",
		"log_out": "Cerrar sesión", "now": "Ahora mismo", "minute ago 1": "Hace %d minuto", "minute ago 2": "Hace %d minutos", "hour ago 1": "Hace %d hora",
		"hour ago 2": "Hace %d horas", "day ago 1": "Hace %d día", "day ago 2": "Hace %d días", "logged_out": "Se cerró tu sesión", "back_in": "Vuelve a iniciar sesión.",
	},
	"pt": {
		"profile": "Perfil", "edit_profile": "Editar perfil", "share_profile": "Compartilhar perfil", "new_reel": "Criar novo reel",
		"new_post": "Criar nova publicação", "next": "Avançar", "hint": "Escreva uma legenda e adicione hashtags…", "save_draft": "Salvar rascunho",
		"share": "Compartilhar", "sharing": "Compartilhando no Reels…", "done": "Publicação concluída", "send": "Enviar",
		"suspended": "Suspendemos sua conta", "appeal": "Contestar", "disabled": "Desativamos sua conta", "log_out": "Sair",
		"now": "Agora mesmo", "minute ago 1": "Há %d minuto", "minute ago 2": "Há %d minutos", "hour ago 1": "Há %d hora", "hour ago 2": "Há %d horas",
		"day ago 1": "Há %d dia", "day ago 2": "Há %d dias",
	},
	"de": {
		"profile": "Profil", "edit_profile": "Profil bearbeiten", "share_profile": "Profil teilen", "new_reel": "Neues Reel erstellen",
		"new_post": "Neuen Beitrag erstellen", "next": "Weiter", "hint": "Bildunterschrift schreiben und Hashtags hinzufügen…",
		"save_draft": "Entwurf speichern", "share": "Teilen", "sharing": "Wird in Reels geteilt…", "done": "Fertig gepostet", "send": "Senden",
		"suspended": "Wir haben dein Konto gesperrt", "appeal": "Einspruch einlegen", "disabled": "Wir haben dein Konto deaktiviert", "log_out": "Abmelden",
		"now": "Gerade eben", "minute ago 1": "Vor %d Minute", "minute ago 2": "Vor %d Minuten", "hour ago 1": "Vor %d Stunde", "hour ago 2": "Vor %d Stunden",
		"day ago 1": "Vor %d Tag", "day ago 2": "Vor %d Tagen",
	},
}

// Languages lists those that it speaks.
func Languages() []string { return []string{"en", "es", "pt", "de"} }

func (a *App) text(key string) string {
	if t := texts[a.cfg.Language][key]; t != "" {
		return t
	}
	if t := texts["en"][key]; t != "" {
		return t
	}
	return key
}
